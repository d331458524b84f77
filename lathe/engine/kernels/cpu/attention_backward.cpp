#include "lathe/engine/kernels/cpu/attention_backward.h"

namespace lathe::kernels::LATHE_ISA {

void attention_backward(const AttentionBackwardArgs& args) noexcept {
  if (args.q.dtype == DType::f64) return reference::attention_backward(args);
#if defined(__AVX512F__)
  if (isa() == Isa::avx512_bf16 && attention_detail::all_bf16(args) &&
      args.dout.dtype == DType::bf16)
    return avx512_bf16::attention_backward(args);
#endif
  attention_parts::BackwardTasks<attention_parts::F32Words>(args).run();
}

}  // namespace lathe::kernels::LATHE_ISA
