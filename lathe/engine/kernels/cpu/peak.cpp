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

#if defined(__AVX512F__)
using Bytes = __m512i;
inline Bytes bytes(char x) { return _mm512_set1_epi8(x); }
inline Bytes ones16() { return _mm512_set1_epi16(1); }
inline Bytes add_pairs(Bytes sum, Bytes products, Bytes ones) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(products, ones));
}
inline float total_of(Bytes x) { return static_cast<float>(_mm512_reduce_add_epi32(x)); }
#define LATHE_REGISTER "v"
#else
using Bytes = __m256i;
inline Bytes bytes(char x) { return _mm256_set1_epi8(x); }
inline Bytes ones16() { return _mm256_set1_epi16(1); }
inline Bytes add_pairs(Bytes sum, Bytes products, Bytes ones) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(products, ones));
}
inline float total_of(Bytes x) { return static_cast<float>(_mm256_extract_epi32(x, 0)); }
#define LATHE_REGISTER "x"
#endif
constexpr int kInt8Steps = 64 * 12 / static_cast<int>(sizeof(Bytes)) / kSums;  // a round

/// One step of every sum. The product of the same two registers would be taken out of the loop,
/// were it not volatile.
template <int... J>
inline void multiply_add(Bytes (&sums)[kSums], Bytes a, Bytes b, Bytes ones,
                         std::integer_sequence<int, J...>) {
  const auto one = [&](Bytes& sum) {
    Bytes products;
    asm volatile("vpmaddubsw %2, %1, %0"
                 : "=" LATHE_REGISTER(products)
                 : LATHE_REGISTER(a), LATHE_REGISTER(b));
    sum = add_pairs(sum, products, ones);
  };
  (one(sums[J]), ...);
}
#undef LATHE_REGISTER

void peak_int8(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    Bytes sums[kSums];
    for (auto& s : sums) s = bytes(0);
    const Bytes a = bytes(1), b = bytes(2), ones = ones16();
    for (std::int64_t i = 0; i < args.rounds * kInt8Steps; ++i)
      multiply_add(sums, a, b, ones, std::make_integer_sequence<int, kSums>{});
    float total = 0;
    for (const auto& s : sums) total += total_of(s);
    args.sink[begin] = total;
  });
}

void peak_read(const ReadArgs& args) noexcept {
  constexpr std::int64_t kStep = 64;  // floats: four sums of sixteen
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    const std::int64_t n = thread_count(), steps = args.count / kStep;
    F32x16 sums[4] = {zero(), zero(), zero(), zero()};
    const float* end = args.data + steps * (begin + 1) / n * kStep;
    for (const float* p = args.data + steps * begin / n * kStep; p < end; p += kStep)
      for (int i = 0; i < 4; ++i) sums[i] = sums[i] + load(p + 16 * i);
    args.sink[begin] = add_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  });
}

}  // namespace lathe::kernels::LATHE_ISA
