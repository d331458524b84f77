// What the bits of each block mean. Source: ggml-common.h and ggml-quants.c of llama.cpp (facts).
#include <bit>
#include <cstring>

#include "lathe/engine/kernels/float16.h"
#include "lathe/engine/kernels/quant.h"

namespace lathe::kernels {
namespace {

using Bytes = const std::uint8_t*;

float read_f16(Bytes p) {
  f16_t half;
  std::memcpy(&half, p, 2);
  return to_f32(half);
}

std::uint32_t read_u32(Bytes p) {
  std::uint32_t x;
  std::memcpy(&x, p, 4);
  return x;
}

/// Sixteen bytes, low nibbles first: 32 numbers in [0, 16).
void split_nibbles(Bytes p, std::int8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = static_cast<std::int8_t>(p[i] & 15);
    q[i + 16] = static_cast<std::int8_t>(p[i] >> 4);
  }
}

/// Bit i of `high` becomes bit 4 of q[i].
void add_fifth_bits(std::uint32_t high, std::int8_t* q) {
  for (int i = 0; i < 32; ++i) q[i] = static_cast<std::int8_t>(q[i] | (high >> i & 1) << 4);
}

void shift(std::int8_t* q, int n, int by) {
  for (int i = 0; i < n; ++i) q[i] = static_cast<std::int8_t>(q[i] - by);
}

constexpr std::int8_t kIq4Nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
/// E2M1 doubled.
constexpr std::int8_t kE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

void look_up(const std::int8_t (&table)[16], std::int8_t* q) {
  for (int i = 0; i < 32; ++i) q[i] = table[q[i]];
}

/// 2^(e - 128): half of E8M0, since the table of E2M1 is doubled.
float half_of_e8m0(std::uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1u) << 23);
}

void decode_32(QuantType type, Bytes p, DecodedBlock& out) {
  const bool minimum = has_minimum(type);
  out.scale[0] = type == QuantType::mxfp4 ? half_of_e8m0(p[0]) : read_f16(p);
  out.minimum[0] = minimum ? read_f16(p + 2) : 0.0f;
  Bytes rest = p + (type == QuantType::mxfp4 ? 1 : minimum ? 4 : 2);
  switch (type) {
    case QuantType::q8_0:
      std::memcpy(out.q, rest, 32);
      break;
    case QuantType::q5_0:
    case QuantType::q5_1:
      split_nibbles(rest + 4, out.q);
      add_fifth_bits(read_u32(rest), out.q);
      if (!minimum) shift(out.q, 32, 16);
      break;
    case QuantType::iq4_nl:
      split_nibbles(rest, out.q);
      look_up(kIq4Nl, out.q);
      break;
    case QuantType::mxfp4:
      split_nibbles(rest, out.q);
      look_up(kE2m1, out.q);
      break;
    default:
      split_nibbles(rest, out.q);
      if (!minimum) shift(out.q, 32, 8);
  }
}

/// 64 bytes of 2-bit numbers: bytes 32h to 32h+31 hold elements 128h + 32s + i at bits 2s.
void split_pairs_of_bits(Bytes p, std::int8_t* q) {
  for (int e = 0; e < 256; ++e)
    q[e] = static_cast<std::int8_t>(p[e / 128 * 32 + e % 32] >> (e % 128 / 32 * 2) & 3);
}

void decode_q2_k(Bytes p, DecodedBlock& out) {
  const float d = read_f16(p + 80), least = read_f16(p + 82);
  for (int g = 0; g < 16; ++g) {
    out.scale[g] = d * static_cast<float>(p[g] & 15);
    out.minimum[g] = -(least * static_cast<float>(p[g] >> 4));
  }
  split_pairs_of_bits(p + 16, out.q);
}

/// Twelve bytes of sixteen 6-bit scales: four low bits in nibbles of bytes 0 to 7, two high bits in
/// bytes 8 to 11.
int scale_of_q3_k(Bytes s, int g) {
  const int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
  return (low | (s[8 + g % 4] >> (2 * (g / 4)) & 3) << 4) - 32;
}

void decode_q3_k(Bytes p, DecodedBlock& out) {
  const Bytes high = p;
  const float d = read_f16(p + 108);
  for (int g = 0; g < 16; ++g) {
    out.scale[g] = d * static_cast<float>(scale_of_q3_k(p + 96, g));
    out.minimum[g] = 0.0f;
  }
  split_pairs_of_bits(p + 32, out.q);
  for (int e = 0; e < 256; ++e)
    if ((high[e % 32] >> (e / 32) & 1) == 0) out.q[e] = static_cast<std::int8_t>(out.q[e] - 4);
}

/// Twelve bytes of eight 6-bit scales and eight 6-bit minima.
void scales_of_q4_k(Bytes p, DecodedBlock& out) {
  const float d = read_f16(p), least = read_f16(p + 2);
  const Bytes s = p + 4;
  for (int g = 0; g < 8; ++g) {
    const int scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
    const int minimum = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | (s[g] >> 6) << 4;
    out.scale[g] = d * static_cast<float>(scale);
    out.minimum[g] = -(least * static_cast<float>(minimum));
  }
}

/// 128 bytes: 32 of them hold two groups, the even one in the low nibbles.
void split_group_nibbles(Bytes p, std::int8_t* q) {
  for (int e = 0; e < 256; ++e)
    q[e] = static_cast<std::int8_t>(p[e / 64 * 32 + e % 32] >> (e / 32 % 2 * 4) & 15);
}

void decode_q5_k(Bytes p, DecodedBlock& out) {
  scales_of_q4_k(p, out);
  split_group_nibbles(p + 48, out.q);
  for (int e = 0; e < 256; ++e)
    out.q[e] = static_cast<std::int8_t>(out.q[e] | (p[16 + e % 32] >> (e / 32) & 1) << 4);
}

void decode_q6_k(Bytes p, DecodedBlock& out) {
  const Bytes low = p, high = p + 128;
  const auto* scales = reinterpret_cast<const std::int8_t*>(p + 192);
  const float d = read_f16(p + 208);
  for (int g = 0; g < 16; ++g) {
    out.scale[g] = d * static_cast<float>(scales[g]);
    out.minimum[g] = 0.0f;
  }
  for (int e = 0; e < 256; ++e) {
    const int half = e / 128, quarter = e % 128 / 32, i = e % 32;
    const int nibble = low[64 * half + 32 * (quarter % 2) + i] >> (quarter / 2 * 4) & 15;
    const int top = high[32 * half + i] >> (2 * quarter) & 3;
    out.q[e] = static_cast<std::int8_t>((nibble | top << 4) - 32);
  }
}

}  // namespace

void decode_block(QuantType type, const void* block, DecodedBlock& out) noexcept {
  const auto* p = static_cast<Bytes>(block);
  switch (type) {
    case QuantType::q2_k:
      return decode_q2_k(p, out);
    case QuantType::q3_k:
      return decode_q3_k(p, out);
    case QuantType::q4_k:
      scales_of_q4_k(p, out);
      return split_group_nibbles(p + 16, out.q);
    case QuantType::q5_k:
      return decode_q5_k(p, out);
    case QuantType::q6_k:
      return decode_q6_k(p, out);
    default:
      return decode_32(type, p, out);
  }
}

void dequantise_row(QuantType type, const void* blocks, float* out, std::int64_t n) noexcept {
  const int elements = block_elements(type), group = scale_group(type);
  const bool minimum = has_minimum(type);
  const auto* p = static_cast<Bytes>(blocks);
  DecodedBlock block;
  for (std::int64_t at = 0; at < n; at += elements, p += block_bytes(type)) {
    decode_block(type, p, block);
    for (int i = 0; i < elements; ++i) {
      const float x = block.scale[i / group] * static_cast<float>(block.q[i]);
      out[at + i] = minimum ? x + block.minimum[i / group] : x;
    }
  }
}

}  // namespace lathe::kernels
