// Measures the instruction itself, so there is nothing to emulate.
#ifndef LATHE_SIMDE
#include <immintrin.h>

#include <utility>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/peak.h"

#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace lathe::kernels::LATHE_ISA {
namespace {

constexpr int kSums = 12;

#if defined(__AVX512F__)
using Bytes = __m512i;
Bytes all(char x) { return _mm512_set1_epi8(x); }
Bytes dot(Bytes sum, Bytes a, Bytes b) { return _mm512_dpbusd_epi32(sum, a, b); }
#else
using Bytes = __m256i;
Bytes all(char x) { return _mm256_set1_epi8(x); }
Bytes dot(Bytes sum, Bytes a, Bytes b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
#endif

/// One step of every sum; why it is written so: peak.cpp.
template <int... J>
inline void multiply_add(Bytes (&sums)[kSums], Bytes a, Bytes b, std::integer_sequence<int, J...>) {
  const auto one = [&](Bytes& sum) {
    Bytes x = dot(sum, a, b);
    asm volatile("" : "+v"(x));
    sum = x;
  };
  (one(sums[J]), ...);
}

}  // namespace

void peak_int8(const PeakArgs& args) noexcept {
  constexpr int kSteps = 64 / static_cast<int>(sizeof(Bytes));
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    Bytes sums[kSums];
    for (auto& s : sums) s = all(0);
    const Bytes a = all(1), b = all(2);
    for (std::int64_t i = 0; i < args.rounds * kSteps; ++i)
      multiply_add(sums, a, b, std::make_integer_sequence<int, kSums>{});
    std::int32_t total = 0;
    for (const auto& s : sums) total += static_cast<std::int32_t>(s[0]);
    args.sink[begin] = static_cast<float>(total);
  });
}

}  // namespace lathe::kernels::LATHE_ISA

#endif  // LATHE_SIMDE
