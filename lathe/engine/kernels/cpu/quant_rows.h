// Sixteen rows of quantised blocks as vectors: the same word of all rows, their f16 scales, and
// fetching ahead of them.
#pragma once

#include <cstring>

#include "lathe/engine/kernels/cpu/matmul_rows.h"
#include "lathe/engine/kernels/cpu/quant_vec.h"

namespace lathe::kernels::LATHE_ISA {

/// Sixteen rows of blocks.
struct RowsOfBlocks {
  const std::uint8_t* rows;
  std::ptrdiff_t stride;     // bytes from row to row
  std::int64_t blocks;       // of a row
  const std::uint8_t* next;  // sixteen rows that will be unpacked after these, or null

  /// Fetches the part of the next rows that corresponds to block b: one after the other, while
  /// sixteen rows at once are too many streams for the processor to foresee. Into the second-level
  /// cache: fetching into the first took 1.4 times as long on Zen 4 (fewer misses fit there). Long
  /// blocks are fetched in parts, between multiplications.
  template <int kBlockBytes, int kParts = 1>
  void fetch_ahead(std::int64_t b, int part = 0) const {
    if (next == nullptr) return;
    constexpr int kLines = (16 * kBlockBytes + 64 * kParts - 1) / (64 * kParts);  // of a part
    const auto* p = reinterpret_cast<const char*>(next + b * 16 * kBlockBytes) + part * kLines * 64;
#pragma GCC unroll 16
    for (int line = 0; line < kLines; ++line) _mm_prefetch(p + line * 64, _MM_HINT_T1);
  }
};

/// The same byte of sixteen rows. Four pointers, so that each row is one of their addresses plus at
/// most a multiple of the stride that an instruction can hold: computing sixteen addresses anew for
/// every load cost more than the loads.
struct Rows16 {
  const std::uint8_t* base[4];
  std::ptrdiff_t stride, three;

  Rows16(const std::uint8_t* p, std::ptrdiff_t stride)
      : base{p, p + 4 * stride, p + 8 * stride, p + 12 * stride},
        stride(stride),
        three(3 * stride) {}

  const std::uint8_t* at(int row) const {
    const int r = row % 4;
    return base[row / 4] + (r == 3 ? three : r * stride);
  }
  void advance(std::ptrdiff_t bytes) {
#pragma GCC unroll 4
    for (auto& p : base) p += bytes;
  }
};

struct Words {
  I32x16 at[4];
};

/// Bytes `offset` to `offset` + 15 of sixteen rows as four vectors.
#if defined(__AVX512F__)
inline Words gather_words(const Rows16& rows, int offset) {
  const auto four = [&](int i) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(rows.at(i) + offset));
  };
  __m512 in[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    in[i] = _mm512_castps128_ps512(four(i));
    in[i] = _mm512_insertf32x4(in[i], four(i + 4), 1);
    in[i] = _mm512_insertf32x4(in[i], four(i + 8), 2);
    in[i] = _mm512_insertf32x4(in[i], four(i + 12), 3);
  }
  Block block;
  transpose_lanes(in, block);
  Words words;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) words.at[i] = bits_of(block.word[i]);
  return words;
}
#else
inline Words gather_words(const Rows16& rows, int offset) {
  __m256 low[4], high[4];
  const auto four = [&](int i) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(rows.at(i) + offset));
  };
  const auto two = [&](int i) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(four(i)), four(i + 4), 1);
  };
  const __m256 first[4] = {two(0), two(1), two(2), two(3)};
  const __m256 second[4] = {two(8), two(9), two(10), two(11)};
  transpose_lanes(first, low);
  transpose_lanes(second, high);
  Words words;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) words.at[i] = bits_of(F32x16{low[i], high[i]});
  return words;
}
#endif

/// The f16 at `offset` of a row.
inline std::uint16_t half_at(const Rows16& rows, int row, int offset) {
  std::uint16_t half;
  std::memcpy(&half, rows.at(row) + offset, 2);
  return half;
}

/// The f16 at `offset` of sixteen rows.
#if defined(__AVX512F__)
inline F32x16 gather_f16(const Rows16& rows, int offset) {
  // In general registers; whether inserts are faster, as with AVX2, has not been measured.
  std::uint64_t four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = 0;
#pragma GCC unroll 4
    for (int j = 3; j >= 0; --j) four[i] = four[i] << 16 | half_at(rows, 4 * i + j, offset);
  }
  const auto two = [&](int i) {
    return _mm_set_epi64x(static_cast<long long>(four[i + 1]), static_cast<long long>(four[i]));
  };
  return {_mm512_cvtph_ps(_mm256_set_m128i(two(2), two(0)))};
}
#else
inline F32x16 gather_f16(const Rows16& rows, int offset) {
  __m128i first = _mm_setzero_si128(), second = _mm_setzero_si128();
#define LATHE_INSERT(i)                                         \
  first = _mm_insert_epi16(first, half_at(rows, i, offset), i); \
  second = _mm_insert_epi16(second, half_at(rows, i + 8, offset), i);
  LATHE_INSERT(0)
  LATHE_INSERT(1)
  LATHE_INSERT(2)
  LATHE_INSERT(3)
  LATHE_INSERT(4)
  LATHE_INSERT(5)
  LATHE_INSERT(6)
  LATHE_INSERT(7)
#undef LATHE_INSERT
  return {_mm256_cvtph_ps(first), _mm256_cvtph_ps(second)};
}
#endif

/// The low halves of sixteen words as f16.
inline F32x16 half_words(I32x16 x) {
#if defined(__AVX512F__)
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(x.v))};
#else
  const __m256i mask = _mm256_set1_epi32(0xFFFF);
  const __m256i both = _mm256_permute4x64_epi64(
      _mm256_packus_epi32(_mm256_and_si256(x.lo, mask), _mm256_and_si256(x.hi, mask)), 0xD8);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(both)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(both, 1))};
#endif
}

inline I32x16 bytes(int x) {
  return splat_i32(static_cast<int>(static_cast<unsigned>(x) * 0x01010101u));
}

/// 2^(e - 128) for the byte at `offset` of sixteen rows.
inline F32x16 gather_half_of_e8m0(const Rows16& rows, int offset) {
  alignas(64) std::uint32_t bits[16];
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t e = rows.at(i)[offset];
    bits[i] = e < 2 ? 0x00200000u << e : (e - 1) << 23;
  }
  return load(reinterpret_cast<const float*>(bits));
}

}  // namespace lathe::kernels::LATHE_ISA
