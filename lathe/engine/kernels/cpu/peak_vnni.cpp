// Measures the instruction itself, so there is nothing to emulate.
#ifndef LATHE_SIMDE
#include <immintrin.h>

#include <utility>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/peak.h"

#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace lathe::kernels::avx512_vnni {

/// One step of every sum; why it is written so: peak.cpp.
template <int... J>
inline void multiply_add(__m512i (&sums)[12], __m512i a, __m512i b,
                         std::integer_sequence<int, J...>) {
  const auto one = [&](__m512i& sum) {
    __m512i x = _mm512_dpbusd_epi32(sum, a, b);
    asm volatile("" : "+v"(x));
    sum = x;
  };
  (one(sums[J]), ...);
}

void peak_int8(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    __m512i sums[12];
    for (auto& s : sums) s = _mm512_setzero_si512();
    const __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
    for (std::int64_t i = 0; i < args.rounds; ++i)
      multiply_add(sums, a, b, std::make_integer_sequence<int, 12>{});
    __m512i total = _mm512_setzero_si512();
    for (const auto& s : sums) total = _mm512_add_epi32(total, s);
    args.sink[begin] = static_cast<float>(_mm512_reduce_add_epi32(total));
  });
}

}  // namespace lathe::kernels::avx512_vnni

#endif  // LATHE_SIMDE
