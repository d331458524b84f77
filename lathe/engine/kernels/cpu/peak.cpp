#include "lathe/engine/kernels/peak.h"

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA {

void peak_f32(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    F32x16 sums[12];
    for (auto& s : sums) s = splat(1.0f);
    const F32x16 a = splat(0.999f), b = splat(1e-6f);
    for (std::int64_t i = 0; i < args.rounds; ++i) {
#pragma GCC unroll 12
      for (int j = 0; j < 12; ++j) {
        sums[j] = fma(sums[j], a, b);
#if defined(__AVX512F__)
        asm volatile("" : "+v"(sums[j].v));  // keep each one in a register, in every round
#else
        asm volatile("" : "+x"(sums[j].lo), "+x"(sums[j].hi));
#endif
      }
    }
    F32x16 total = zero();
    for (const auto& s : sums) total = total + s;
    args.sink[begin] = add_lanes(total);
  });
}

}  // namespace lathe::kernels::LATHE_ISA
