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
};

struct Words {
  I32x16 at[4];
};

/// Bytes p[0..16) of sixteen rows as four vectors.
inline Words gather_words(const std::uint8_t* p, std::ptrdiff_t stride) {
  const Block block = gather(reinterpret_cast<const char*>(p), stride);
  Words words;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) words.at[i] = bits_of(block.word[i]);
  return words;
}

/// The f16 at p of sixteen rows. Put together in general registers: vector ports are busy.
inline F32x16 gather_f16(const std::uint8_t* p, std::ptrdiff_t stride) {
  std::uint64_t four[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = 0;
#pragma GCC unroll 4
    for (int j = 3; j >= 0; --j) {
      std::uint16_t half;
      std::memcpy(&half, p + (4 * i + j) * stride, 2);
      four[i] = four[i] << 16 | half;
    }
  }
  const __m128i low =
      _mm_set_epi64x(static_cast<long long>(four[1]), static_cast<long long>(four[0]));
  const __m128i high =
      _mm_set_epi64x(static_cast<long long>(four[3]), static_cast<long long>(four[2]));
#if defined(__AVX512F__)
  return {_mm512_cvtph_ps(_mm256_set_m128i(high, low))};
#else
  return {_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)};
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

inline I32x16 bytes(int x) { return splat_i32(x * 0x01010101); }
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

/// 2^(e - 128) for the byte at p of sixteen rows.
inline F32x16 gather_half_of_e8m0(const std::uint8_t* p, std::ptrdiff_t stride) {
  alignas(64) std::uint32_t bits[16];
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t e = p[i * stride];
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
inline void unpack_nibbles(const std::uint8_t* p, std::ptrdiff_t stride, std::uint8_t* q) {
  using Layout = Layout32<kType>;
  constexpr bool kTable = kType == QuantType::iq4_nl || kType == QuantType::mxfp4;
  static constexpr NibbleTable kValues = table_of(kType);
  const Words words = gather_words(p + Layout::low, stride);
  I32x16 fifth{};
  if constexpr (Layout::fifth) fifth = gather_words(p + Layout::high, stride).at[0];
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
  for (std::int64_t b = 0; b < u.blocks; ++b) {
    const std::uint8_t* p = u.rows + b * block_bytes(kType);
    std::uint8_t* q = u.q + b * 512;
    if constexpr (kType == QuantType::mxfp4) {
      store(u.scale + b * 16, gather_half_of_e8m0(p, u.stride));
    } else {
      store(u.scale + b * 16, gather_f16(p, u.stride));
    }
    if constexpr (has_minimum(kType)) store(u.minimum + b * 16, gather_f16(p + 2, u.stride));
    if constexpr (kType == QuantType::q8_0) {
      for (int half = 0; half < 2; ++half) {
        const Words words = gather_words(p + 2 + 16 * half, u.stride);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
          put(q, 4 * half + i, kVnni ? words.at[i] ^ bytes(128) : words.at[i]);
      }
    } else {
      unpack_nibbles<kType>(p, u.stride, q);
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
  for (std::int64_t b = 0; b < u.blocks; ++b) {
    const std::uint8_t* p = u.rows + b * block_bytes(kType);
    unpack_scales_k(gather_words(p, u.stride), u.scale + b * 128, u.minimum + b * 128);
    for (int half = 0; half < 2; ++half) {
      Words fifth{};
      if constexpr (kFifth) fifth = gather_words(p + 16 + 16 * half, u.stride);
      for (int pair = 0; pair < 4; ++pair) {
        const Words words = gather_words(p + kLow + 32 * pair + 16 * half, u.stride);
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
  for (std::int64_t b = 0; b < u.blocks; ++b) {
    const std::uint8_t* p = u.rows + b * 210;
    unpack_scales_6(gather_words(p + 192, u.stride), gather_f16(p + 208, u.stride),
                    u.scale + b * 256);
    for (int part = 0; part < 4; ++part) {  // 16 of the 32 bytes of each half block
      const int half = part / 2, at = part % 2 * 16;
      const Words a = gather_words(p + 64 * half + at, u.stride);
      const Words c = gather_words(p + 64 * half + 32 + at, u.stride);
      const Words high = gather_words(p + 128 + 32 * half + at, u.stride);
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
  for (std::int64_t b = 0; b < u.blocks; ++b) {
    const std::uint8_t* p = u.rows + b * 84;
    const F32x16 d = gather_f16(p + 80, u.stride), least = gather_f16(p + 82, u.stride);
    const Words scales = gather_words(p, u.stride);
    for (int g = 0; g < 16; ++g) {
      const I32x16 byte = scales.at[g / 4] >> (g % 4 * 8);
      store(u.scale + b * 256 + g * 16, d * to_float(byte & splat_i32(15)));
      store(u.minimum + b * 256 + g * 16, -(least * to_float((byte >> 4) & splat_i32(15))));
    }
    for (int part = 0; part < 4; ++part) {
      const Words words = gather_words(p + 16 + 16 * part, u.stride);
      std::uint8_t* q = u.q + b * 4096 + part / 2 * 2048 + part % 2 * 256;
      for (int s = 0; s < 4; ++s)
        for (int i = 0; i < 4; ++i) put(q, 8 * s + i, (words.at[i] >> (2 * s)) & bytes(3));
    }
  }
}

inline void unpack_q3_k(const Unpacking& u) {
  for (std::int64_t b = 0; b < u.blocks; ++b) {
    const std::uint8_t* p = u.rows + b * 110;
    const F32x16 d = gather_f16(p + 108, u.stride);
    const Words packed = gather_words(p + 94, u.stride);  // bytes 94 and 95, then twelve of scales
    const auto byte = [&](int i) { return packed.at[(i + 2) / 4] >> ((i + 2) % 4 * 8); };
    for (int g = 0; g < 16; ++g) {
      const I32x16 low = (g < 8 ? byte(g) : byte(g - 8) >> 4) & splat_i32(15);
      const I32x16 high = (byte(8 + g % 4) >> (2 * (g / 4))) & splat_i32(3);
      store(u.scale + b * 256 + g * 16, d * to_float((low | high << 4) - splat_i32(32)));
    }
    for (int part = 0; part < 4; ++part) {
      const Words words = gather_words(p + 32 + 16 * part, u.stride);
      const Words third = gather_words(p + part % 2 * 16, u.stride);
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
