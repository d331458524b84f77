#include "lathe/engine/kernels/attention.h"

#include "lathe/engine/kernels/cpu/attention_dense.h"

namespace lathe::kernels::LATHE_ISA {

void attention(const AttentionArgs& args) noexcept {
  if (args.q.dtype == DType::f64) return reference::attention(args);
#if defined(__AVX512F__)
  if (isa() == Isa::avx512_bf16 && attention_detail::all_bf16(args))
    return avx512_bf16::attention(args);
#endif
  attention_parts::attend_all<attention_parts::F32Words>(args);
}

}  // namespace lathe::kernels::LATHE_ISA
