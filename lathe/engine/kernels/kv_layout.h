// How keys and values of tokens lie in a cache: in pages of 64 keys, one block of the forward
// definition in attention.h, for texts that begin at key 0. Pages of a row lie anywhere; a table
// tells where.
//
// A page holds, for each kv head in turn, keys and then values, both as panels of sixteen: a step
// of a chain of attention reads one vector of a panel, so all of it is read once, in order, for all
// heads of a group. j is the key in its page, d the element of the head; P = D rounded up to 16.
//
//   f32    keys   [4][D][16]        element (j, d) at [j / 16][d][j % 16]
//          values [P / 16][64][16]  element (j, d) at [d / 16][j][d % 16]
//   bf16   keys   [4][ceil(D / 2)][16][2]  pairs of elements: [j / 16][d / 2][j % 16][d % 2],
//          a pair's missing half zero
//          values [P / 16][32][16][2]      pairs of keys: [d / 16][j / 2][d % 16][j % 2]
//   q8_0   keys and values as in f32, of signed bytes; then an f32 scale for each key and 32
//          elements of the head (the last ones may be fewer): of keys [4][ceil(D / 32)][16], of
//          values [ceil(D / 32)][64]
//
// What a page stands for: f32 the values; bf16 the values rounded to nearest, ties to even; q8_0
// q * scale, rounded to f32, where scale and q are those of KvScale over the 32 elements of one key
// or value. Attention reads these f32 values and nothing else differs: each type of
// cache has one result for prefill, decode, any chunks and any batch.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <string_view>

#include "lathe/engine/kernels/math.h"

namespace lathe::kernels {

enum class KvType : std::uint8_t { f32, bf16, q8_0 };

constexpr std::string_view name(KvType type) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "q8_0"};
  return kNames[static_cast<int>(type)];
}

/// Keys in a page.
constexpr std::int64_t kKvPage = 64;

/// Elements of a key or value that share a scale.
constexpr std::int64_t kKvScaled = 32;

/// Scale of such elements and the factor that maps them to [-127, 127]; q = round(x * factor), ties
/// to even.
struct KvScale {
  float scale, factor;
};

/// From the bits of the largest |x| of them. A NaN or infinity makes the scale NaN and every q 0;
/// below 2^-100 all are zero.
LATHE_INLINE KvScale kv_scale(std::uint32_t magnitude_bits) {
  if (magnitude_bits >= 0x7F800000u) return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const float largest = std::bit_cast<float>(magnitude_bits);
  if (largest < 0x1p-100f) return {0.0f, 0.0f};
  return {largest / 127.0f, 127.0f / largest};
}

/// Where the parts of one kv head lie in its stretch of a page, in bytes from its beginning.
struct KvLayout {
  std::int64_t size;                              // D
  std::int64_t panels;                            // of values: ceil(D / 16)
  std::int64_t key_panel, value_panel;            // bytes of a panel
  std::int64_t values, key_scales, value_scales;  // offsets; keys begin at 0
  std::int64_t bytes;                             // a multiple of 64
};

LATHE_INLINE constexpr KvLayout kv_layout(KvType type, std::int64_t size) {
  const std::int64_t vector = type == KvType::q8_0 ? 16 : 64;  // bytes a step
  const std::int64_t per_word = type == KvType::bf16 ? 2 : 1;
  const std::int64_t blocks = type == KvType::q8_0 ? (size + kKvScaled - 1) / kKvScaled : 0;
  KvLayout y{.size = size, .panels = (size + 15) / 16};
  y.key_panel = (size + per_word - 1) / per_word * vector;
  y.value_panel = kKvPage / per_word * vector;
  y.values = (4 * y.key_panel + 63) / 64 * 64;
  y.key_scales = y.values + y.panels * y.value_panel;
  y.value_scales = y.key_scales + 4 * blocks * 64;
  y.bytes = y.value_scales + blocks * kKvPage * 4;
  return y;
}

/// Bytes of a page of `kv_heads` heads.
LATHE_INLINE constexpr std::int64_t kv_page_bytes(KvType type, std::int64_t kv_heads,
                                                  std::int64_t size) {
  return kv_heads * kv_layout(type, size).bytes;
}

}  // namespace lathe::kernels
