// One token times sixteen rows of quantised weights where they lie. With AVX512-VNNI each row is
// multiplied along k and its products are added across the lanes; otherwise rows are taken apart in
// registers (quant_one_token.h). Taking them apart into a panel pays only when several tokens share
// it. The same bits as the panels, since sums of a group are exact and the chain over groups is the
// same.
#pragma once

#include "lathe/engine/kernels/cpu/quant_one_token.h"

namespace lathe::kernels::LATHE_ISA {

#if defined(__AVX512VNNI__) && !defined(LATHE_SIMDE)

/// Types whose rows are read directly.
constexpr bool reads_directly(QuantType type) {
  return type != QuantType::q2_k && type != QuantType::q3_k && type != QuantType::mxfp4 &&
         type != QuantType::iq4_nl;
}

/// Pair i of the sixteen rows: 0 and 4, 1 and 5, .., 8 and 12, ..: so that adding up leaves the
/// rows in order.
constexpr int first_of_pair(int i) { return i < 4 ? i : i + 4; }

/// What load(row) gives for both rows of pair i.
template <typename Load>
inline __m512i both_of_pair(int i, const Load& load) {
  const __m512i first = _mm512_castsi256_si512(load(first_of_pair(i)));
  return _mm512_inserti64x4(first, load(first_of_pair(i) + 4), 1);
}

/// 32 bytes at `offset` of both rows of a pair.
inline __m512i load_pair(const Rows16& rows, int i, int offset) {
  return both_of_pair(i, [&](int row) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.at(row) + offset));
  });
}

/// 16 bytes at `offset` of both rows, each twice.
inline __m512i load_pair_twice(const Rows16& rows, int i, int offset) {
  return both_of_pair(i, [&](int row) {
    return _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.at(row) + offset)));
  });
}

inline __m512i all_bytes(int x) { return _mm512_set1_epi8(static_cast<char>(x)); }

/// Sums of four products each: lanes 0..3 and 4..7 belong to the halves of k of the pair's first
/// row.
struct PairSums {
  __m512i at[8];
};

/// The sums of sixteen rows over the first and the second half of 32 k.
struct HalfSums {
  I32x16 low, high;
};

inline __m512i add_neighbours_32(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
inline __m512i add_neighbours_64(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

inline HalfSums add_across(const PairSums& s) {
  const __m512i a =
      add_neighbours_64(add_neighbours_32(s.at[0], s.at[1]), add_neighbours_32(s.at[2], s.at[3]));
  const __m512i b =
      add_neighbours_64(add_neighbours_32(s.at[4], s.at[5]), add_neighbours_32(s.at[6], s.at[7]));
  return {{_mm512_shuffle_i32x4(a, b, 0x88)}, {_mm512_shuffle_i32x4(a, b, 0xDD)}};
}

/// 32 k of the token, twice.
inline __m512i token_pair(const std::int8_t* x) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}

/// The token and the sums of sixteen rows so far.
struct DirectSums {
  const Tokens& x;
  F32x16 sums = zero();

  /// Group g has the sums s, without what the offset owes.
  template <typename Kind>
  void add(std::int64_t g, I32x16 s, F32x16 scale, F32x16 minimum) {
    if constexpr (!Kind::minimum) s = s + splat_i32(x.start[g]);
    const float token = x.scale[g * Kind::group / 32];
    sums = fma(scale * splat(token), to_float(s), sums);
    if constexpr (Kind::minimum) sums = fma(minimum, splat(x.total[g]), sums);
  }
};

/// Products of stored bytes of all pairs; bytes_of(i) gives those of pair i.
template <typename BytesOf>
inline HalfSums multiply_rows(const std::int8_t* x, const BytesOf& bytes_of) {
  const __m512i token = token_pair(x);
  PairSums s;
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    s.at[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), bytes_of(i), token);
  return add_across(s);
}

/// The bytes of a block of 32 of pair i, stored as quant_unpack.h stores them.
template <QuantType kType>
inline __m512i block_of_pair(const Rows16& rows, int i) {
  using Layout = Layout32<kType>;
  if constexpr (kType == QuantType::q8_0) {
    return _mm512_xor_si512(load_pair(rows, i, 2), all_bytes(128));
  } else {
    const __m512i shift = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4);
    __m512i q = _mm512_srlv_epi32(load_pair_twice(rows, i, Layout::low), shift);
    q = _mm512_and_si512(q, all_bytes(15));
    if constexpr (Layout::fifth) {  // a bit for each of the 32 k
      const auto bits = [&](int row) {
        std::uint32_t word;
        std::memcpy(&word, rows.at(row) + Layout::high, 4);
        return static_cast<std::uint64_t>(word);
      };
      const __mmask64 fifth = bits(first_of_pair(i)) | bits(first_of_pair(i) + 4) << 32;
      q = _mm512_or_si512(q, _mm512_maskz_mov_epi8(fifth, all_bytes(16)));
    }
    return q;
  }
}

template <QuantType kType, typename Kind>
inline void add_blocks_32(const RowsOfBlocks& u, DirectSums& to) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(block_bytes(kType))) {
    u.fetch_ahead<block_bytes(kType)>(b);
    const HalfSums s =
        multiply_rows(to.x.q + b * 32, [&](int i) { return block_of_pair<kType>(rows, i); });
    F32x16 minimum{};
    if constexpr (Kind::minimum) minimum = gather_f16(rows, 2);
    to.add<Kind>(b, s.low + s.high, gather_f16(rows, 0), minimum);
  }
}

/// 32 bytes at one offset of all pairs, loaded once for all groups that take bits of them.
struct Pairs {
  __m512i at[8];

  Pairs(const Rows16& rows, int offset) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) at[i] = load_pair(rows, i, offset);
  }
  __m512i bits(int i, int shift, int mask) const {
    return _mm512_and_si512(_mm512_srl_epi32(at[i], _mm_cvtsi32_si128(shift)), all_bytes(mask));
  }
};

/// Takes the scales and minima of a block.
template <int kGroups>
struct ScalesOfBlock {
  alignas(64) float at[kGroups][16];
  alignas(64) float least[kGroups][16];

  void scale(std::int64_t, int g, F32x16 x) { store(at[g], x); }
  void minimum(std::int64_t, int g, F32x16 x) { store(least[g], x); }
};

/// Q4_K and Q5_K.
template <QuantType kType, typename Kind>
inline void add_blocks_k4(const RowsOfBlocks& u, DirectSums& to) {
  constexpr bool kFifth = kType == QuantType::q5_k;
  constexpr int kLow = kFifth ? 48 : 16;
  ScalesOfBlock<8> scales;
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(block_bytes(kType))) {
    unpack_scales_k(gather_words(rows, 0), b, scales);
    [[maybe_unused]] const auto fifth = [&] {
      if constexpr (kFifth) {
        return Pairs(rows, 16);
      } else {
        return 0;
      }
    }();
    for (int two = 0; two < 4; ++two) {
      const Pairs low(rows, kLow + two * 32);
      for (int half = 0; half < 2; ++half) {
        const int group = two * 2 + half;
        u.fetch_ahead<block_bytes(kType), 8>(b, group);
        const auto nibbles = [&](int i) {
          __m512i q = low.bits(i, half * 4, 15);
          if constexpr (kFifth)
            q = _mm512_or_si512(q, _mm512_slli_epi32(fifth.bits(i, group, 1), 4));
          return q;
        };
        const HalfSums s = multiply_rows(to.x.q + b * 256 + group * 32, nibbles);
        to.add<Kind>(b * 8 + group, s.low + s.high, load(scales.at[group]),
                     load(scales.least[group]));
      }
    }
  }
}

template <typename Kind>
inline void add_blocks_q6_k(const RowsOfBlocks& u, DirectSums& to) {
  ScalesOfBlock<16> scales;
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(210)) {
    unpack_scales_6(gather_words(rows, 192), gather_f16(rows, 208), b, scales);
    for (int half = 0; half < 2; ++half) {
      const Pairs low[2] = {{rows, 64 * half}, {rows, 64 * half + 32}};
      const Pairs high(rows, 128 + 32 * half);
      for (int quarter = 0; quarter < 4; ++quarter) {
        const int part = half * 4 + quarter;  // 32 k
        u.fetch_ahead<210, 8>(b, part);
        const auto sixes = [&](int i) {
          const __m512i four = low[quarter % 2].bits(i, quarter / 2 * 4, 15);
          return _mm512_or_si512(four, _mm512_slli_epi32(high.bits(i, quarter * 2, 3), 4));
        };
        const HalfSums s = multiply_rows(to.x.q + b * 256 + part * 32, sixes);
        const std::int64_t g = b * 16 + part * 2;
        to.add<Kind>(g, s.low, load(scales.at[2 * part]), zero());
        to.add<Kind>(g + 1, s.high, load(scales.at[2 * part + 1]), zero());
      }
    }
  }
}

/// The products of one token with sixteen rows (u.q, u.scale, u.minimum are not used).
template <QuantType kType, typename Kind>
inline F32x16 multiply_directly(const RowsOfBlocks& u, const Tokens& x) {
  DirectSums to{x};
  if constexpr (kType == QuantType::q6_k) {
    add_blocks_q6_k<Kind>(u, to);
  } else if constexpr (kType == QuantType::q4_k || kType == QuantType::q5_k) {
    add_blocks_k4<kType, Kind>(u, to);
  } else {
    add_blocks_32<kType, Kind>(u, to);
  }
  return to.sums;
}

#else

constexpr bool reads_directly(QuantType) { return true; }

template <QuantType kType, typename Kind>
inline F32x16 multiply_directly(const RowsOfBlocks& u, const Tokens& x) {
  return multiply_one_token<kType, Kind>(u, x);
}

#endif

}  // namespace lathe::kernels::LATHE_ISA
