#include "lathe/engine/kernels/cpu/attention_paged.h"

namespace lathe::kernels::LATHE_ISA {

void attention_paged(const AttentionPagedArgs& args) noexcept {
  using namespace attention_parts;
  switch (args.pages.type) {
    case KvType::f32:
      return PagedAttention<F32Words, KvType::f32>(args).run();
    case KvType::bf16:
#if defined(__AVX512F__)
      if (isa() == Isa::avx512_bf16 && args.q.dtype == DType::bf16)
        return avx512_bf16::attention_paged(args);
#endif
      return PagedAttention<F32Words, KvType::bf16>(args).run();
    case KvType::q8_0:
      return PagedAttention<F32Words, KvType::q8_0>(args).run();
  }
}

}  // namespace lathe::kernels::LATHE_ISA
