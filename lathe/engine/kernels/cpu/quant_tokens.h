// Activations of a product with quantised weights, as the tile reads them (Tokens).
#pragma once

#include "lathe/engine/kernels/cpu/lanes.h"
#include "lathe/engine/kernels/cpu/quant_tile.h"
#include "lathe/engine/kernels/quant_activation.h"

namespace lathe::kernels::LATHE_ISA {

/// Where the parts of M quantised tokens lie in one buffer.
struct TokenBuffer {
  std::int64_t tokens, k;
  int group, offset;
  bool minimum;
  char* data;

  // Rows of q lie 64 bytes further apart, so that a tile's tokens do not share cache sets.
  std::int64_t q_row() const { return (k + 63) / 64 * 64 + 64; }
  std::int64_t scale_row() const { return k / kActivationBlock; }
  std::int64_t group_row() const { return k / group; }
  std::int64_t bytes() const {
    return (tokens * (q_row() + 4 * scale_row() + 4 * group_row()) + 63) / 64 * 64;
  }
  std::int8_t* q(std::int64_t m) const {
    return reinterpret_cast<std::int8_t*>(data) + m * q_row();
  }
  float* scale(std::int64_t m) const {
    return reinterpret_cast<float*>(data + tokens * q_row()) + m * scale_row();
  }
  /// One word a group: scale * sum (float) where the type has minima, else -offset * sum (integer).
  float* extra(std::int64_t m) const { return scale(tokens) + m * group_row(); }

  Tokens from(std::int64_t m) const {
    const float* e = extra(m);
    return {q(m),    scale(m),    e,          reinterpret_cast<const std::int32_t*>(e),
            q_row(), scale_row(), group_row()};
  }
};

/// One block of 32; returns its scale and the sums of its halves.
inline float quantise_block(F32x16 a, F32x16 b, std::int8_t* q, std::int32_t (&sums)[2]) {
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
  sums[0] = add_lanes_i32(x);
  sums[1] = add_lanes_i32(y);
  return s.scale;
}

inline void quantise_token(const View& x, std::int64_t m, const TokenBuffer& to) {
  const Row row(x, m);
  auto* totals = to.extra(m);
  auto* starts = reinterpret_cast<std::int32_t*>(totals);
  const int groups = kActivationBlock / to.group;
  for (std::int64_t b = 0; b < to.scale_row(); ++b) {
    std::int32_t sums[2];
    const std::int64_t k = b * kActivationBlock;
    const float scale =
        quantise_block(row.at(k, Full{}), row.at(k + 16, Full{}), to.q(m) + k, sums);
    to.scale(m)[b] = scale;
    if (groups == 1) sums[0] += sums[1];
    for (int g = 0; g < groups; ++g) {
      if (to.minimum) {
        totals[b * groups + g] = scale * static_cast<float>(sums[g]);
      } else {
        starts[b * groups + g] = -to.offset * sums[g];
      }
    }
  }
}

}  // namespace lathe::kernels::LATHE_ISA
