// The AdamW update as a formula over V (float, double or F32x16); the order is in optimizer.h.
#pragma once

#include <bit>
#include <cstdint>

#include "lathe/engine/kernels/math.h"
#include "lathe/engine/kernels/optimizer.h"

namespace lathe::kernels {

/// The halves of SplitMasterArgs. With ties away from zero the upper half is (bits + 2^15) / 2^16,
/// so the lower 16 bits, read as a signed number, are exactly what is left: no f32 is lost, which
/// with ties to even would be (both neighbours of an even value at half a step are its own).
struct SplitMaster {
  std::uint16_t* value;
  std::uint16_t* rest;

  SplitMaster(const View& value_view, const View& rest_view)
      : value(static_cast<std::uint16_t*>(value_view.data)),
        rest(static_cast<std::uint16_t*>(rest_view.data)) {}
  LATHE_INLINE float get(std::int64_t i) const {
    const std::uint32_t low = rest[i], high = value[i];
    return std::bit_cast<float>((high << 16) + low - ((low & 0x8000u) << 1));
  }
  LATHE_INLINE void set(std::int64_t i, float master) const {
    const auto bits = std::bit_cast<std::uint32_t>(master);
    value[i] = static_cast<std::uint16_t>((bits + 0x8000u) >> 16);
    rest[i] = static_cast<std::uint16_t>(bits);
  }
};

template <typename V>
struct AdamwRule {
  V scale, beta1, rest1, beta2, rest2, step, inverse_bias2, eps, decay;

  LATHE_INLINE explicit AdamwRule(const AdamwArgs& a)
      : scale(constant<V>(a.gradient_scale)),
        beta1(constant<V>(a.beta1)),
        rest1(constant<V>(1 - a.beta1)),
        beta2(constant<V>(a.beta2)),
        rest2(constant<V>(1 - a.beta2)),
        step(constant<V>(-(a.lr / a.bias1))),
        inverse_bias2(constant<V>(1 / a.bias2)),
        eps(constant<V>(a.eps)),
        decay(constant<V>(1 - a.lr * a.weight_decay)) {}

  LATHE_INLINE void apply(V& theta, V gradient, V& m, V& v) const {
    const V g = gradient * scale;
    m = fma(beta1, m, rest1 * g);
    v = fma(beta2, v, (rest2 * g) * g);
    theta = fma(step, m / (sqrt(v * inverse_bias2) + eps), theta * decay);
  }
};

}  // namespace lathe::kernels
