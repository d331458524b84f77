// Attention over bf16 pages on pairs of bf16. Compiled with AVX512-BF16, and once more for the
// tests with SIMDe's emulation of the instruction.
#include "lathe/engine/kernels/cpu/attention_paged.h"
#include "lathe/engine/kernels/cpu/attention_pairs.h"

namespace lathe::kernels::LATHE_ISA {

void attention_paged(const AttentionPagedArgs& args) noexcept {
  attention_parts::PagedAttention<attention_parts::Bf16Words, KvType::bf16>(args).run();
}

}  // namespace lathe::kernels::LATHE_ISA
