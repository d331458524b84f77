// Elementary functions with a fixed sequence of fused multiply-adds: the same template runs on one
// float (reference loops) and on F32x16 (cpu kernels), so both give the same bits. For double the
// C library is the truth. No libm and no approximate reciprocals in f32.
//
// A vector type V brings fma, max, min, sqrt, round_even, exp2_integral, select_less and splat
// (found by argument-dependent lookup; kernels/cpu/vec.h). This header brings them for float.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace lathe::kernels {

inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
inline float max(float a, float b) { return a > b ? a : b; }
inline float min(float a, float b) { return a < b ? a : b; }
inline float sqrt(float a) { return std::sqrt(a); }
inline float round_even(float a) { return std::nearbyint(a); }
inline float exp2_integral(float n) {
  return std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}
inline float select_less(float a, float b, float x, float y) { return a < b ? x : y; }

inline double fma(double a, double b, double c) { return std::fma(a, b, c); }
inline double max(double a, double b) { return a > b ? a : b; }
inline double min(double a, double b) { return a < b ? a : b; }
inline double sqrt(double a) { return std::sqrt(a); }
inline double select_less(double a, double b, double x, double y) { return a < b ? x : y; }

/// A constant in the width of V.
template <typename V>
inline V constant(float x) {
  if constexpr (requires(V v) { v + 1.0f; }) {
    return x;  // float
  } else {
    return splat_like(V{}, x);
  }
}

/// e^x. Under 1.0 unit in the last place on [-87.3, 88.3]; 0 below, infinity above, NaN kept.
/// x = n ln 2 + r with ln 2 in two parts (Cody-Waite), e^r by its Taylor polynomial of degree 7.
template <typename V>
inline V exp(V x) {
  const auto c = [](float value) { return constant<V>(value); };
  const V low = c(-87.33654f), high = c(88.37626f);
  const V clamped = min(high, max(low, x));  // NaN is the second operand and passes
  const V n = round_even(clamped * c(1.44269504f));
  V r = fma(n, c(-0.693359375f), clamped);
  r = fma(n, c(2.12194440e-4f), r);
  V p = c(1.98412698e-4f);
  p = fma(p, r, c(1.38888889e-3f));
  p = fma(p, r, c(8.33333333e-3f));
  p = fma(p, r, c(4.16666667e-2f));
  p = fma(p, r, c(1.66666667e-1f));
  p = fma(p, r, c(0.5f));
  p = fma(p, r, c(1.0f));
  p = fma(p, r, c(1.0f));
  const V y = p * exp2_integral(n);
  return select_less(x, low, c(0.0f), select_less(high, x, c(std::bit_cast<float>(0x7F800000)), y));
}

inline double exp(double x) { return std::exp(x); }

}  // namespace lathe::kernels
