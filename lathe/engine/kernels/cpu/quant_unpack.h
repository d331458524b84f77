// Blocks of sixteen rows taken apart into a panel (quant_tile.h), sixteen rows at a time: words are
// transposed so that a vector holds the same four k of all rows.
#pragma once

#include <cstring>

#include "lathe/engine/kernels/cpu/matmul_rows.h"
#include "lathe/engine/kernels/cpu/quant_tile.h"

namespace lathe::kernels::LATHE_ISA {

/// What is added to q in a panel, so that it is never negative. Bytes that use their whole range
/// stay signed where the multiply takes that.
constexpr int stored_offset(QuantType type) {
  switch (type) {
    case QuantType::q4_0:
      return 8;
    case QuantType::q5_0:
      return 16;
    case QuantType::q8_0:
    case QuantType::iq4_nl:
      return kVnni ? 128 : 0;
    case QuantType::mxfp4:
      return 12;
    case QuantType::q3_k:
      return 4;
    case QuantType::q6_k:
      return 32;
    default:
      return 0;
  }
}

/// Sixteen rows of blocks, and the panel that they become.
struct Unpacking {
  const std::uint8_t* rows;
  std::ptrdiff_t stride;  // bytes from row to row
  std::int64_t blocks;    // of a row
  std::uint8_t* q;
  float *scale, *minimum;
  const std::uint8_t* next;  // sixteen rows that will be unpacked after these, or null

  /// Fetches the part of the next rows that corresponds to block b: one after the other, while
  /// sixteen rows at once are too many streams for the processor to foresee. Into the second-level
  /// cache: fetching into the first took 1.4 times as long on Zen 4 (fewer misses fit there). Long
  /// blocks are fetched in parts, between multiplications.
  void fetch_ahead(std::int64_t b, int block_bytes, int part = 0, int parts = 1) const {
    if (next == nullptr) return;
    const auto* p = reinterpret_cast<const char*>(next + b * 16 * block_bytes);
    const int lines = (16 * block_bytes + 63) / 64;
    for (int line = lines * part / parts; line < lines * (part + 1) / parts; ++line)
      _mm_prefetch(p + line * 64, _MM_HINT_T1);
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

/// The f16 at `offset` of sixteen rows. Put together in general registers: vector ports are busy.
inline F32x16 gather_f16(const Rows16& rows, int offset) {
  std::uint64_t four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = 0;
#pragma GCC unroll 4
    for (int j = 3; j >= 0; --j) {
      std::uint16_t half;
      std::memcpy(&half, rows.at(4 * i + j) + offset, 2);
      four[i] = four[i] << 16 | half;
    }
  }
  const auto two = [&](int i) {
    return _mm_set_epi64x(static_cast<long long>(four[i + 1]), static_cast<long long>(four[i]));
  };
#if defined(__AVX512F__)
  return {_mm512_cvtph_ps(_mm256_set_m128i(two(2), two(0)))};
#else
  return {_mm256_cvtph_ps(two(0)), _mm256_cvtph_ps(two(2))};
#endif
}

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
inline void put(std::uint8_t* q, int step, I32x16 x) { store_i32(q + step * 64, x); }

/// Tables stored with the offset of their type.
struct NibbleTable {
  std::int8_t at[16];
};
constexpr NibbleTable table_of(QuantType type) {
  constexpr int kIq4Nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113};
  constexpr int kE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  NibbleTable out{};
  for (int i = 0; i < 16; ++i)
    out.at[i] = static_cast<std::int8_t>((type == QuantType::iq4_nl ? kIq4Nl[i] : kE2m1[i]) +
                                         stored_offset(type));
  return out;
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

/// Where the parts of a block of 32 begin.
template <QuantType kType>
struct Layout32 {
  static constexpr bool fifth = kType == QuantType::q5_0 || kType == QuantType::q5_1;
  static constexpr int high = has_minimum(kType) ? 4 : kType == QuantType::mxfp4 ? 1 : 2;
  static constexpr int low = high + (fifth ? 4 : 0);
};

template <QuantType kType>
inline void unpack_nibbles(const Rows16& rows, std::uint8_t* q) {
  using Layout = Layout32<kType>;
  constexpr bool kTable = kType == QuantType::iq4_nl || kType == QuantType::mxfp4;
  static constexpr NibbleTable kValues = table_of(kType);
  const Words words = gather_words(rows, Layout::low);
  I32x16 fifth{};
  if constexpr (Layout::fifth) fifth = gather_words(rows, Layout::high).at[0];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    I32x16 low = words.at[i] & bytes(15), high = (words.at[i] >> 4) & bytes(15);
    if constexpr (Layout::fifth) {
      low = low | spread_bits(fifth >> (4 * i)) << 4;
      high = high | spread_bits(fifth >> (16 + 4 * i)) << 4;
    }
    if constexpr (kTable) low = look_up16(kValues.at, low), high = look_up16(kValues.at, high);
    put(q, i, low);
    put(q, 4 + i, high);
  }
}

template <QuantType kType>
void unpack_32(const Unpacking& u) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(block_bytes(kType))) {
    u.fetch_ahead(b, block_bytes(kType));
    std::uint8_t* q = u.q + b * 512;
    if constexpr (kType == QuantType::mxfp4) {
      store(u.scale + b * 16, gather_half_of_e8m0(rows, 0));
    } else {
      store(u.scale + b * 16, gather_f16(rows, 0));
    }
    if constexpr (has_minimum(kType)) store(u.minimum + b * 16, gather_f16(rows, 2));
    if constexpr (kType == QuantType::q8_0) {
      for (int half = 0; half < 2; ++half) {
        const Words words = gather_words(rows, 2 + 16 * half);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
          put(q, 4 * half + i, kVnni ? words.at[i] ^ bytes(128) : words.at[i]);
      }
    } else {
      unpack_nibbles<kType>(rows, q);
    }
  }
}

/// Scales and minima of Q4_K and Q5_K: sixteen bytes at the start of a block.
inline void unpack_scales_k(const Words& head, float* scale, float* minimum) {
  const F32x16 d = half_words(head.at[0]), least = half_words(head.at[0] >> 16);
  const auto six = [](I32x16 x) { return x & splat_i32(63); };
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const I32x16 a = head.at[1] >> (8 * i), b = head.at[2] >> (8 * i), c = head.at[3] >> (8 * i);
    const I32x16 high_a = (a >> 2) & splat_i32(48), high_b = (b >> 2) & splat_i32(48);
    const I32x16 low = c & splat_i32(15), upper = (c >> 4) & splat_i32(15);
    store(scale + i * 16, d * to_float(six(a)));
    store(minimum + i * 16, -(least * to_float(six(b))));
    store(scale + (4 + i) * 16, d * to_float(low | high_a));
    store(minimum + (4 + i) * 16, -(least * to_float(upper | high_b)));
  }
}

/// Q4_K and Q5_K: 32 bytes hold two groups of 32.
template <QuantType kType>
void unpack_k4(const Unpacking& u) {
  constexpr bool kFifth = kType == QuantType::q5_k;
  constexpr int kLow = kFifth ? 48 : 16;
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(block_bytes(kType))) {
    u.fetch_ahead(b, block_bytes(kType));
    unpack_scales_k(gather_words(rows, 0), u.scale + b * 128, u.minimum + b * 128);
    for (int half = 0; half < 2; ++half) {
      Words fifth{};
      if constexpr (kFifth) fifth = gather_words(rows, 16 + 16 * half);
      for (int pair = 0; pair < 4; ++pair) {
        const Words words = gather_words(rows, kLow + 32 * pair + 16 * half);
        std::uint8_t* q = u.q + b * 4096 + pair * 1024 + half * 256;
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          I32x16 low = words.at[i] & bytes(15), high = (words.at[i] >> 4) & bytes(15);
          if constexpr (kFifth) {
            low = low | ((fifth.at[i] >> (2 * pair)) & bytes(1)) << 4;
            high = high | ((fifth.at[i] >> (2 * pair + 1)) & bytes(1)) << 4;
          }
          put(q, i, low);
          put(q, 8 + i, high);
        }
      }
    }
  }
}

/// Sixteen signed scales, one byte each, times d.
inline void unpack_scales_6(const Words& scales, F32x16 d, float* to) {
  for (int g = 0; g < 16; ++g) {
    const I32x16 byte = (scales.at[g / 4] >> (g % 4 * 8)) & splat_i32(255);
    const I32x16 value = (byte ^ splat_i32(128)) - splat_i32(128);
    store(to + g * 16, d * to_float(value));
  }
}

inline void unpack_q6_k(const Unpacking& u) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(210)) {
    u.fetch_ahead(b, 210);
    unpack_scales_6(gather_words(rows, 192), gather_f16(rows, 208), u.scale + b * 256);
    for (int part = 0; part < 4; ++part) {  // 16 of the 32 bytes of each half block
      const int half = part / 2, at = part % 2 * 16;
      const Words a = gather_words(rows, 64 * half + at);
      const Words c = gather_words(rows, 64 * half + 32 + at);
      const Words high = gather_words(rows, 128 + 32 * half + at);
      std::uint8_t* q = u.q + b * 4096 + half * 2048 + at * 16;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const I32x16 h = high.at[i], two = bytes(48), four = bytes(15);
        put(q, i, (a.at[i] & four) | ((h << 4) & two));
        put(q, 8 + i, (c.at[i] & four) | ((h << 2) & two));
        put(q, 16 + i, ((a.at[i] >> 4) & four) | (h & two));
        put(q, 24 + i, ((c.at[i] >> 4) & four) | ((h >> 2) & two));
      }
    }
  }
}

/// Sixteen bytes of a plane of two bits: vectors for k 4i + 32s, s = 0 .. 3.
inline void unpack_q2_k(const Unpacking& u) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(84)) {
    u.fetch_ahead(b, 84);
    const F32x16 d = gather_f16(rows, 80), least = gather_f16(rows, 82);
    const Words scales = gather_words(rows, 0);
    for (int g = 0; g < 16; ++g) {
      const I32x16 byte = scales.at[g / 4] >> (g % 4 * 8);
      store(u.scale + b * 256 + g * 16, d * to_float(byte & splat_i32(15)));
      store(u.minimum + b * 256 + g * 16, -(least * to_float((byte >> 4) & splat_i32(15))));
    }
    for (int part = 0; part < 4; ++part) {
      const Words words = gather_words(rows, 16 + 16 * part);
      std::uint8_t* q = u.q + b * 4096 + part / 2 * 2048 + part % 2 * 256;
      for (int s = 0; s < 4; ++s)
        for (int i = 0; i < 4; ++i) put(q, 8 * s + i, (words.at[i] >> (2 * s)) & bytes(3));
    }
  }
}

inline void unpack_q3_k(const Unpacking& u) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(110)) {
    u.fetch_ahead(b, 110);
    const F32x16 d = gather_f16(rows, 108);
    const Words packed = gather_words(rows, 94);  // bytes 94 and 95, then twelve of scales
    const auto byte = [&](int i) { return packed.at[(i + 2) / 4] >> ((i + 2) % 4 * 8); };
    for (int g = 0; g < 16; ++g) {
      const I32x16 low = (g < 8 ? byte(g) : byte(g - 8) >> 4) & splat_i32(15);
      const I32x16 high = (byte(8 + g % 4) >> (2 * (g / 4))) & splat_i32(3);
      store(u.scale + b * 256 + g * 16, d * to_float((low | high << 4) - splat_i32(32)));
    }
    for (int part = 0; part < 4; ++part) {
      const Words words = gather_words(rows, 32 + 16 * part);
      const Words third = gather_words(rows, part % 2 * 16);
      std::uint8_t* q = u.q + b * 4096 + part / 2 * 2048 + part % 2 * 256;
      for (int s = 0; s < 4; ++s) {
        for (int i = 0; i < 4; ++i) {
          const I32x16 high = (third.at[i] >> (part / 2 * 4 + s)) & bytes(1);
          put(q, 8 * s + i, ((words.at[i] >> (2 * s)) & bytes(3)) | high << 2);
        }
      }
    }
  }
}

template <QuantType kType>
inline void unpack(const Unpacking& u) {
  if constexpr (kType == QuantType::q2_k) {
    unpack_q2_k(u);
  } else if constexpr (kType == QuantType::q3_k) {
    unpack_q3_k(u);
  } else if constexpr (kType == QuantType::q6_k) {
    unpack_q6_k(u);
  } else if constexpr (kType == QuantType::q4_k || kType == QuantType::q5_k) {
    unpack_k4<kType>(u);
  } else {
    unpack_32<kType>(u);
  }
}

}  // namespace lathe::kernels::LATHE_ISA
