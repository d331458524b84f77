#include "lathe/engine/kernels/peak.h"

#include <utility>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA {

#if defined(__AVX512F__)
constexpr int kSums = 12;
#else
constexpr int kSums = 6;  // twelve registers of the sixteen
#endif

/// One multiply-add on every sum. The indices are constants from the start and the empty asm stands
/// on a local copy: else the compiler keeps the sums in memory, or swaps the loops.
template <int... J>
inline void multiply_add(F32x16 (&sums)[kSums], F32x16 a, F32x16 b,
                         std::integer_sequence<int, J...>) {
  const auto one = [&](F32x16& sum) {
    F32x16 x = fma(sum, a, b);
#if defined(__AVX512F__)
    asm volatile("" : "+v"(x.v));
#else
    asm volatile("" : "+x"(x.lo), "+x"(x.hi));
#endif
    sum = x;
  };
  (one(sums[J]), ...);
}

void peak_f32(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    F32x16 sums[kSums];
    for (auto& s : sums) s = splat(1.0f);
    const F32x16 a = splat(0.999f), b = splat(1e-6f);
    for (std::int64_t i = 0; i < args.rounds * (12 / kSums); ++i)
      multiply_add(sums, a, b, std::make_integer_sequence<int, kSums>{});
    F32x16 total = zero();
    for (const auto& s : sums) total = total + s;
    args.sink[begin] = add_lanes(total);
  });
}

}  // namespace lathe::kernels::LATHE_ISA
