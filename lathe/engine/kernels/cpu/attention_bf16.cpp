// The forward pass on pairs of bf16. Compiled with AVX512-BF16, and once more for the tests with
// SIMDe's emulation of the instruction.
#include "lathe/engine/kernels/cpu/attention_dense.h"
#include "lathe/engine/kernels/cpu/attention_pairs.h"

namespace lathe::kernels::LATHE_ISA {

void attention(const AttentionArgs& args) noexcept {
  attention_parts::attend_all<attention_parts::Bf16Words>(args);
}

}  // namespace lathe::kernels::LATHE_ISA
