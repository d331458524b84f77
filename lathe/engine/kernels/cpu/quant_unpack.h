// Blocks of sixteen rows taken apart, sixteen rows at a time: words are transposed so that a vector
// holds the same four k of all rows. What becomes of the vectors is the sink's business: a panel in
// memory (PanelSink), or products with a token at once (quant_one_token.h).
//
// A sink has, for block b of a row and group g of the block:
//   start(slot, b, g)          the group's vectors come next, under that slot (0 to 3)
//   put(slot, b, step, vector) bytes q + offset of k 4 step to 4 step + 3 of the block
//   finish(slot, b, g)         all vectors of the group have come
//   scale(b, g, x), minimum(b, g, x)
//   end(b)                     the block is complete
#pragma once

#include "lathe/engine/kernels/cpu/quant_rows.h"
#include "lathe/engine/kernels/cpu/quant_tile.h"
#include "lathe/engine/kernels/quant.h"

namespace lathe::kernels::LATHE_ISA {

/// What is added to q, so that it is never negative. Bytes that use their whole range stay signed
/// where the multiply takes that.
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

/// Writes a panel (quant_tile.h) of bytes, or of 16-bit numbers.
template <QuantType kType, int kBytes>
struct PanelSink {
  static constexpr int kSteps = block_elements(kType) / 4;
  static constexpr int kGroups = block_elements(kType) / scale_group(kType);
  std::uint8_t* q;
  float *scales, *minima;

  void start(int, std::int64_t, int) const {}
  void put(int, std::int64_t b, int step, I32x16 x) const {
    std::uint8_t* to = q + (b * kSteps + step) * 64 * kBytes;
    store_i32(to, kBytes == 1 ? x : even_bytes(x));
    if constexpr (kBytes == 2) store_i32(to + 64, odd_bytes(x));
  }
  void finish(int, std::int64_t, int) const {}
  void scale(std::int64_t b, int g, F32x16 x) const { store(scales + (b * kGroups + g) * 16, x); }
  void minimum(std::int64_t b, int g, F32x16 x) const { store(minima + (b * kGroups + g) * 16, x); }
  void end(std::int64_t) const {}
};

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

/// Where the parts of a block of 32 begin.
template <QuantType kType>
struct Layout32 {
  static constexpr bool fifth = kType == QuantType::q5_0 || kType == QuantType::q5_1;
  static constexpr int high = has_minimum(kType) ? 4 : kType == QuantType::mxfp4 ? 1 : 2;
  static constexpr int low = high + (fifth ? 4 : 0);
};

/// Bits 4 step to 4 step + 3 of each lane as bit 4 of its four bytes.
inline I32x16 fifth_bits(I32x16 words, int step) {
  const I32x16 raised = step % 2 == 0 ? words << 4 : words;  // then they are bits 4 to 7 of a byte
  const I32x16 bit = repeat_byte(raised, step / 2) & splat_i32(static_cast<int>(0x80402010u));
  return min_u8(bit, bytes(16));
}

template <QuantType kType, typename Sink>
inline void unpack_nibbles(const Rows16& rows, std::int64_t b, Sink& sink) {
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
      low = low | fifth_bits(fifth, i);
      high = high | fifth_bits(fifth, 4 + i);
    }
    if constexpr (kTable) low = look_up16(kValues.at, low), high = look_up16(kValues.at, high);
    sink.put(0, b, i, low);
    sink.put(0, b, 4 + i, high);
  }
}

template <QuantType kType, typename Sink>
inline void unpack_32(const RowsOfBlocks& u, Sink& sink) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(block_bytes(kType))) {
    u.fetch_ahead<block_bytes(kType)>(b);
    if constexpr (kType == QuantType::mxfp4) {
      sink.scale(b, 0, gather_half_of_e8m0(rows, 0));
    } else {
      sink.scale(b, 0, gather_f16(rows, 0));
    }
    if constexpr (has_minimum(kType)) sink.minimum(b, 0, gather_f16(rows, 2));
    sink.start(0, b, 0);
    if constexpr (kType == QuantType::q8_0) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Words words = gather_words(rows, 2 + 16 * half);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
          sink.put(0, b, 4 * half + i, kVnni ? words.at[i] ^ bytes(128) : words.at[i]);
      }
    } else {
      unpack_nibbles<kType>(rows, b, sink);
    }
    sink.finish(0, b, 0);
    sink.end(b);
  }
}

/// Scales and minima of Q4_K and Q5_K: sixteen bytes at the start of a block.
template <typename Sink>
inline void unpack_scales_k(const Words& head, std::int64_t b, Sink& sink) {
  const F32x16 d = half_words(head.at[0]), minus_least = -half_words(head.at[0] >> 16);
  const I32x16 a = head.at[1], m = head.at[2], c = head.at[3];
  const I32x16 low_a = a & bytes(63), low_m = m & bytes(63);
  const I32x16 high_a = (c & bytes(15)) | ((a >> 2) & bytes(48));
  const I32x16 high_m = ((c >> 4) & bytes(15)) | ((m >> 2) & bytes(48));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    sink.scale(b, i, d * to_float(byte_of(low_a, i)));
    sink.minimum(b, i, minus_least * to_float(byte_of(low_m, i)));
    sink.scale(b, 4 + i, d * to_float(byte_of(high_a, i)));
    sink.minimum(b, 4 + i, minus_least * to_float(byte_of(high_m, i)));
  }
}

/// Every byte moved so that its bit n becomes bit 4; other bits are of no use.
inline I32x16 bit_to_4(I32x16 x, int n) { return n < 4 ? x << (4 - n) : x >> (n - 4); }

/// Two groups of Q4_K or Q5_K: 32 bytes hold both. `fifth` are the words with the fifth bits.
template <bool kFifth, typename Sink>
inline void unpack_pair_k(const Rows16& rows, std::int64_t b, int pair, const Words (&fifth)[2],
                          Sink& sink) {
  sink.start(0, b, 2 * pair);
  sink.start(1, b, 2 * pair + 1);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const Words words = gather_words(rows, (kFifth ? 48 : 16) + 32 * pair + 16 * half);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      I32x16 low = words.at[i] & bytes(15), high = (words.at[i] >> 4) & bytes(15);
      if constexpr (kFifth) {
        low = low | (bit_to_4(fifth[half].at[i], 2 * pair) & bytes(16));
        high = high | (bit_to_4(fifth[half].at[i], 2 * pair + 1) & bytes(16));
      }
      sink.put(0, b, 16 * pair + 4 * half + i, low);
      sink.put(1, b, 16 * pair + 8 + 4 * half + i, high);
    }
  }
  sink.finish(0, b, 2 * pair);
  sink.finish(1, b, 2 * pair + 1);
}

/// Q4_K and Q5_K.
template <QuantType kType, typename Sink>
inline void unpack_k4(const RowsOfBlocks& u, Sink& sink) {
  constexpr bool kFifth = kType == QuantType::q5_k;
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(block_bytes(kType))) {
    unpack_scales_k(gather_words(rows, 0), b, sink);
    Words fifth[2];
    if constexpr (kFifth) fifth[0] = gather_words(rows, 16), fifth[1] = gather_words(rows, 32);
    for (int pair = 0; pair < 4; ++pair) {
      u.fetch_ahead<block_bytes(kType), 4>(b, pair);
      unpack_pair_k<kFifth>(rows, b, pair, fifth, sink);
    }
    sink.end(b);
  }
}

/// Sixteen signed scales, one byte each, times d.
template <typename Sink>
inline void unpack_scales_6(const Words& scales, F32x16 d, std::int64_t b, Sink& sink) {
  for (int g = 0; g < 16; ++g) {
    const I32x16 byte = (scales.at[g / 4] >> (g % 4 * 8)) & splat_i32(255);
    const I32x16 value = (byte ^ splat_i32(128)) - splat_i32(128);
    sink.scale(b, g, d * to_float(value));
  }
}

/// Four groups of Q6_K: those that 16 bytes of both nibble planes and of the plane of two bits
/// hold.
template <typename Sink>
inline void unpack_part_6(const Rows16& rows, std::int64_t b, int part, Sink& sink) {
  const int half = part / 2, at = part % 2 * 16, first = half * 8 + part % 2;
  const Words a = gather_words(rows, 64 * half + at);
  const Words c = gather_words(rows, 64 * half + 32 + at);
  const Words high = gather_words(rows, 128 + 32 * half + at);
  const I32x16 two = bytes(48), four = bytes(15);
  const auto group = [&](int quarter, const auto& byte) {
    const int g = first + 2 * quarter;
    sink.start(0, b, g);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sink.put(0, b, 4 * g + i, byte(i));
    sink.finish(0, b, g);
  };
  group(0, [&](int i) { return (a.at[i] & four) | ((high.at[i] << 4) & two); });
  group(1, [&](int i) { return (c.at[i] & four) | ((high.at[i] << 2) & two); });
  group(2, [&](int i) { return ((a.at[i] >> 4) & four) | (high.at[i] & two); });
  group(3, [&](int i) { return ((c.at[i] >> 4) & four) | ((high.at[i] >> 2) & two); });
}

template <typename Sink>
inline void unpack_q6_k(const RowsOfBlocks& u, Sink& sink) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(210)) {
    unpack_scales_6(gather_words(rows, 192), gather_f16(rows, 208), b, sink);
    for (int part = 0; part < 4; ++part) {
      u.fetch_ahead<210, 4>(b, part);
      unpack_part_6(rows, b, part, sink);
    }
    sink.end(b);
  }
}

/// The four groups that sixteen bytes of a plane of two bits hold; byte(i, s) gives word i of group
/// s.
template <typename Sink, typename Byte>
inline void put_groups_of_plane(std::int64_t b, int part, Sink& sink, const Byte& byte) {
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    const int g = part / 2 * 8 + 2 * s + part % 2;
    sink.start(0, b, g);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sink.put(0, b, 4 * g + i, byte(i, s));
    sink.finish(0, b, g);
  }
}

template <typename Sink>
inline void unpack_q2_k(const RowsOfBlocks& u, Sink& sink) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(84)) {
    u.fetch_ahead<84>(b);
    const F32x16 d = gather_f16(rows, 80), least = gather_f16(rows, 82);
    const Words scales = gather_words(rows, 0);
    for (int g = 0; g < 16; ++g) {
      const I32x16 byte = scales.at[g / 4] >> (g % 4 * 8);
      sink.scale(b, g, d * to_float(byte & splat_i32(15)));
      sink.minimum(b, g, -(least * to_float((byte >> 4) & splat_i32(15))));
    }
    for (int part = 0; part < 4; ++part) {
      const Words words = gather_words(rows, 16 + 16 * part);
      put_groups_of_plane(b, part, sink,
                          [&](int i, int s) { return (words.at[i] >> (2 * s)) & bytes(3); });
    }
    sink.end(b);
  }
}

template <typename Sink>
inline void unpack_scales_q3_k(const Rows16& rows, std::int64_t b, Sink& sink) {
  const F32x16 d = gather_f16(rows, 108);
  const Words packed = gather_words(rows, 94);  // bytes 94 and 95, then twelve of scales
  const auto byte = [&](int i) { return packed.at[(i + 2) / 4] >> ((i + 2) % 4 * 8); };
  for (int g = 0; g < 16; ++g) {
    const I32x16 low = (g < 8 ? byte(g) : byte(g - 8) >> 4) & splat_i32(15);
    const I32x16 high = (byte(8 + g % 4) >> (2 * (g / 4))) & splat_i32(3);
    sink.scale(b, g, d * to_float((low | high << 4) - splat_i32(32)));
  }
}

template <typename Sink>
inline void unpack_q3_k(const RowsOfBlocks& u, Sink& sink) {
  Rows16 rows(u.rows, u.stride);
  for (std::int64_t b = 0; b < u.blocks; ++b, rows.advance(110)) {
    u.fetch_ahead<110>(b);
    unpack_scales_q3_k(rows, b, sink);
    for (int part = 0; part < 4; ++part) {
      const Words words = gather_words(rows, 32 + 16 * part);
      const Words third = gather_words(rows, part % 2 * 16);
      put_groups_of_plane(b, part, sink, [&](int i, int s) {
        const I32x16 high = (third.at[i] >> (part / 2 * 4 + s)) & bytes(1);
        return ((words.at[i] >> (2 * s)) & bytes(3)) | high << 2;
      });
    }
    sink.end(b);
  }
}

template <QuantType kType, typename Sink>
inline void unpack(const RowsOfBlocks& u, Sink&& sink) {
  if constexpr (kType == QuantType::q2_k) {
    unpack_q2_k(u, sink);
  } else if constexpr (kType == QuantType::q3_k) {
    unpack_q3_k(u, sink);
  } else if constexpr (kType == QuantType::q6_k) {
    unpack_q6_k(u, sink);
  } else if constexpr (kType == QuantType::q4_k || kType == QuantType::q5_k) {
    unpack_k4<kType>(u, sink);
  } else {
    unpack_32<kType>(u, sink);
  }
}

}  // namespace lathe::kernels::LATHE_ISA
