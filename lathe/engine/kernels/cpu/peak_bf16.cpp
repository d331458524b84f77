// Measures the instruction itself, so there is nothing to emulate.
#ifndef LATHE_SIMDE
#include <immintrin.h>

#include <utility>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/peak.h"

#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace lathe::kernels::avx512_bf16 {

/// One step of every sum; why it is written so: peak.cpp.
template <int... J>
inline void multiply_add(__m512 (&sums)[12], __m512bh a, __m512bh b,
                         std::integer_sequence<int, J...>) {
  const auto one = [&](__m512& sum) {
    __m512 x = _mm512_dpbf16_ps(sum, a, b);
    asm volatile("" : "+v"(x));
    sum = x;
  };
  (one(sums[J]), ...);
}

void peak_bf16(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    __m512 sums[12];
    for (auto& s : sums) s = _mm512_set1_ps(1.0f);
    const auto a = (__m512bh)_mm512_set1_epi16(0x3F80), b = (__m512bh)_mm512_set1_epi16(0x3580);
    for (std::int64_t i = 0; i < args.rounds; ++i)
      multiply_add(sums, a, b, std::make_integer_sequence<int, 12>{});
    __m512 total = _mm512_setzero_ps();
    for (const auto& s : sums) total = _mm512_add_ps(total, s);
    args.sink[begin] = _mm512_reduce_add_ps(total);
  });
}

}  // namespace lathe::kernels::avx512_bf16

#endif  // LATHE_SIMDE
