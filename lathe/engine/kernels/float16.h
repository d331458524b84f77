// IEEE half precision as stored, in integer arithmetic (the cpu kernels use F16C), and the rounding
// of f64 that makes a second rounding harmless.
#pragma once

#include <bit>
#include <cstdint>

#include "lathe/engine/kernels/math.h"
#include "lathe/engine/tensor/dtype.h"

namespace lathe::kernels {

struct f16_t {
  std::uint16_t bits;
};

/// Exact; NaN stays NaN.
LATHE_INLINE float to_f32(f16_t x) {
  const std::uint32_t sign = std::uint32_t{x.bits & 0x8000u} << 16;
  const std::uint32_t exponent = (x.bits >> 10) & 31u, fraction = x.bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

/// Round to nearest, ties to even; overflow to infinity; NaN stays NaN.
LATHE_INLINE f16_t to_f16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return {static_cast<std::uint16_t>(sign | 0x7E00u)};
  if (magnitude >= 0x477FF000u) return {static_cast<std::uint16_t>(sign | 0x7C00u)};
  if (magnitude < 0x38800000u) {  // result is subnormal: let an addition round at 2^-24
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(aligned) & 0x7FFFu))};
  }
  const std::uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u) - (112u << 23);
  return {static_cast<std::uint16_t>(sign | rounded >> 13)};
}

/// f64 to f32 such that rounding the result further to 16 bits gives what one rounding would:
/// towards zero, with the last bit set where anything was lost.
LATHE_INLINE float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  if (x != x || static_cast<double>(nearest) == x) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (abs(static_cast<double>(nearest)) > abs(x)) --bits;
  return std::bit_cast<float>(bits | 1u);
}
LATHE_INLINE float round_to_odd(float x) { return x; }

}  // namespace lathe::kernels
