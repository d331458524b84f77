// The backward pass on pairs of bf16. Compiled with AVX512-BF16, and once more for the tests with
// SIMDe's emulation of the instruction.
#include "lathe/engine/kernels/cpu/attention_backward.h"
#include "lathe/engine/kernels/cpu/attention_pairs.h"

namespace lathe::kernels::LATHE_ISA {

void attention_backward(const AttentionBackwardArgs& args) noexcept {
  attention_parts::BackwardTasks<attention_parts::Bf16Words>(args).run();
}

}  // namespace lathe::kernels::LATHE_ISA
