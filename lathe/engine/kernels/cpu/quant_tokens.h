// Activations of a product with quantised weights. What depends on the activations only (their q,
// scales and sums) is made once for all weights that share them; what a type adds is derived.
#pragma once

#include "lathe/engine/kernels/cpu/lanes.h"
#include "lathe/engine/kernels/cpu/quant_tile.h"
#include "lathe/engine/kernels/quant_activation.h"

namespace lathe::kernels::LATHE_ISA {

/// Where the parts of M quantised tokens lie in one buffer.
struct TokenBuffer {
  std::int64_t tokens = 0, k = 0;
  char* data = nullptr;

  // Rows of q lie 64 bytes further apart, so that a tile's tokens do not share cache sets.
  std::int64_t q_row() const { return (k + 63) / 64 * 64 + 64; }
  std::int64_t scale_row() const { return k / kActivationBlock; }
  std::int64_t bytes() const { return tokens * (q_row() + 4 * 3 * scale_row()); }

  std::int8_t* q(std::int64_t m) const {
    return reinterpret_cast<std::int8_t*>(data) + m * q_row();
  }
  float* scale(std::int64_t m) const {
    return reinterpret_cast<float*>(data + tokens * q_row()) + m * scale_row();
  }
  /// Of each sixteen q two sums of 16 bits: of those at 0 and 1 of every four, and of the others.
  /// They are what lies in the two halves of a lane of the tile.
  std::int32_t* sums(std::int64_t m) const {
    return reinterpret_cast<std::int32_t*>(scale(tokens)) + 2 * m * scale_row();
  }
};

/// What the groups of a type need besides: Tokens::total and Tokens::start, and q in 16 bits where
/// it is multiplied so.
struct GroupBuffer {
  std::int64_t tokens = 0, groups = 0;
  std::int64_t wide_row = 0;  // numbers of 16 bits a token
  char* data = nullptr;

  std::int64_t bytes() const { return tokens * (groups * 8 + wide_row * 2); }
  float* total(std::int64_t m) const { return reinterpret_cast<float*>(data) + m * groups; }
  std::int32_t* start(std::int64_t m) const {
    return reinterpret_cast<std::int32_t*>(total(tokens)) + m * groups;
  }
  std::int16_t* wide(std::int64_t m) const {
    return reinterpret_cast<std::int16_t*>(start(tokens)) + m * wide_row;
  }
};

/// The two sums of each half of 32 bytes (TokenBuffer::sums).
inline void sum_halves(const std::int8_t* q, std::int32_t* sums) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q));
  __m256i s = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);  // 0 1, 2 3, 4 5, ..
  s = _mm256_add_epi16(s, _mm256_shuffle_epi32(s, 0x4E));
  s = _mm256_add_epi16(s, _mm256_shuffle_epi32(s, 0xB1));
  sums[0] = _mm256_cvtsi256_si32(s);
  sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(s, 1));
}

/// One block of 32; returns its scale.
inline float quantise_block(F32x16 a, F32x16 b, std::int8_t* q) {
  const I32x16 magnitude = splat_i32(0x7FFFFFFF);
  const I32x16 largest = max_i32(bits_of(a) & magnitude, bits_of(b) & magnitude);
  const ActivationScale s = activation_scale(static_cast<std::uint32_t>(max_lane_i32(largest)));
  I32x16 x = splat_i32(0), y = splat_i32(0);
  if (s.factor != 0) {
    x = to_int(a * splat(s.factor));
    y = to_int(b * splat(s.factor));
  }
  store_bytes(q, x);
  store_bytes(q + 16, y);
  return s.scale;
}

inline void quantise_token(const View& x, std::int64_t m, const TokenBuffer& to) {
  const Row row(x, m);
  for (std::int64_t b = 0; b < to.scale_row(); ++b) {
    const std::int64_t k = b * kActivationBlock;
    std::int8_t* q = to.q(m) + k;
    to.scale(m)[b] = quantise_block(row.at(k, Full{}), row.at(k + 16, Full{}), q);
    sum_halves(q, to.sums(m) + 2 * b);
  }
}

/// -offset times two sums of 16 bits; both fit.
inline std::int32_t minus_times(int offset, std::int32_t sums) {
  const int low = static_cast<std::int16_t>(sums), high = sums >> 16;
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(-offset * low) & 0xFFFFu) |
         static_cast<std::int32_t>(static_cast<std::uint32_t>(-offset * high) << 16);
}

/// q of a token in 16 bits, of each four first 0 and 2, then 1 and 3, as panels hold them.
inline void widen_token(const TokenBuffer& x, std::int64_t m, const GroupBuffer& to) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  for (std::int64_t k = 0; k < x.k; k += 16) {
    const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x.q(m) + k));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.wide(m) + k),
                        _mm256_cvtepi8_epi16(_mm_shuffle_epi8(q, order)));
  }
}

/// What the kind needs of a token: totals and starts of its groups, or wide numbers. `offset` is
/// what the stored bytes of the kind are above those that the sum is to be of.
template <typename Kind>
inline void derive_groups(const TokenBuffer& x, int offset, std::int64_t m, const GroupBuffer& to) {
  if constexpr (Kind::summing == Summing::words) return widen_token(x, m, to);
  if constexpr (Kind::summing == Summing::signs) return;  // sums begin with 0
  const std::int32_t* sums = x.sums(m);
  for (std::int64_t g = 0; g < to.groups; ++g) {
    std::int32_t two = sums[g];
    if constexpr (Kind::group == 32) {
      const std::int32_t a = sums[2 * g], b = sums[2 * g + 1];
      two = ((a + b) & 0xFFFF) |
            static_cast<std::int32_t>(static_cast<std::uint32_t>((a >> 16) + (b >> 16)) << 16);
    }
    const int sum = static_cast<std::int16_t>(two) + (two >> 16);
    to.total(m)[g] = x.scale(m)[g * Kind::group / 32] * static_cast<float>(sum);
    to.start(m)[g] = Kind::narrow ? minus_times(offset, two) : -offset * sum;
  }
}

}  // namespace lathe::kernels::LATHE_ISA
