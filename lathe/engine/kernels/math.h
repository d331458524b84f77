// Elementary functions with a fixed sequence of fused multiply-adds: the same template runs on one
// float (reference loops) and on F32x16 (cpu kernels), so both give the same bits. For double the
// C library is the truth. No libm and no approximate reciprocals in f32.
//
// A vector type V brings fma, max, min, sqrt, abs, copy_sign, round_even, exp2_integral, log_parts,
// select_less and splat_like (found by argument-dependent lookup; kernels/cpu/vec.h). This header
// brings them for float and double.
//
// Everything here is LATHE_INLINE: this header is compiled for several instruction sets, and an
// out-of-line copy made with AVX-512 must never be the one that the linker keeps for all.
//
// Coefficients: our own weighted minimax fits (Lawson iteration at 40 digits), rounded to f32.
// Errors are measured over all exponents in math_test.cpp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#define LATHE_INLINE inline __attribute__((always_inline))

namespace lathe::kernels {

LATHE_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
LATHE_INLINE float max(float a, float b) { return a > b ? a : b; }
LATHE_INLINE float min(float a, float b) { return a < b ? a : b; }
LATHE_INLINE float sqrt(float a) { return __builtin_sqrtf(a); }
LATHE_INLINE float abs(float a) { return __builtin_fabsf(a); }
LATHE_INLINE float copy_sign(float a, float sign) { return __builtin_copysignf(a, sign); }
LATHE_INLINE float round_even(float a) { return __builtin_nearbyintf(a); }
LATHE_INLINE float exp2_integral(float n) {
  const float number = n == n ? n : 0.0f;  // what NaN gives does not matter, but must be defined
  return std::bit_cast<float>((static_cast<std::int32_t>(number) + 127) << 23);
}
LATHE_INLINE float select_less(float a, float b, float x, float y) { return a < b ? x : y; }
/// b where it is larger or NaN, else a: the maximum that keeps NaN.
LATHE_INLINE float larger_of(float a, float b) { return b > a || b != b ? b : a; }
LATHE_INLINE float smaller_of(float a, float b) { return b < a || b != b ? b : a; }
/// Splits a positive normal x into m * 2^e with m in [sqrt(1/2), sqrt(2)); returns e.
LATHE_INLINE float log_parts(float x, float& m) {
  const auto bits = std::bit_cast<std::uint32_t>(x);  // unsigned: negative x may wrap around
  const std::int32_t e = static_cast<std::int32_t>(bits - 0x3F3504F3u) >> 23;
  m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(e) << 23));
  return static_cast<float>(e);
}

LATHE_INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
LATHE_INLINE double max(double a, double b) { return a > b ? a : b; }
LATHE_INLINE double min(double a, double b) { return a < b ? a : b; }
LATHE_INLINE double sqrt(double a) { return __builtin_sqrt(a); }
LATHE_INLINE double abs(double a) { return __builtin_fabs(a); }
LATHE_INLINE double copy_sign(double a, double sign) { return __builtin_copysign(a, sign); }
LATHE_INLINE double larger_of(double a, double b) { return b > a || b != b ? b : a; }
LATHE_INLINE double smaller_of(double a, double b) { return b < a || b != b ? b : a; }
LATHE_INLINE double select_less(double a, double b, double x, double y) { return a < b ? x : y; }

LATHE_INLINE double exp(double x) { return std::exp(x); }
LATHE_INLINE double log(double x) { return std::log(x); }
LATHE_INLINE double tanh(double x) { return std::tanh(x); }
LATHE_INLINE double erf(double x) { return std::erf(x); }

/// A constant in the width of V.
template <typename V>
LATHE_INLINE V constant(double x) {
  if constexpr (requires(V v) { splat_like(v, 1.0f); }) {
    return splat_like(V{}, static_cast<float>(x));
  } else {
    return static_cast<V>(x);  // float, double
  }
}
template <typename V>
LATHE_INLINE V infinity() {
  return constant<V>(std::numeric_limits<double>::infinity());
}

namespace detail {

/// c[0] + c[1] x + ... by Horner's rule, one fma a step.
template <typename V, int N>
LATHE_INLINE V polynomial(V x, const float (&c)[N]) {
  V p = constant<V>(c[N - 1]);
  for (int i = N - 2; i >= 0; --i) p = fma(p, x, constant<V>(c[i]));
  return p;
}

}  // namespace detail

/// e^x. Under 1.0 unit in the last place on [-87.3, 88.3], under 12 from there to 88.72; 0 below
/// (a result that would be subnormal is 0), infinity above, NaN kept.
/// x = n ln 2 + r with ln 2 in two parts (Cody-Waite), e^r by its Taylor polynomial of degree 7.
template <typename V>
LATHE_INLINE V exp(V x) {
  const auto c = [](double value) { return constant<V>(value); };
  constexpr float kTaylor[] = {1.0f,           1.0f,           0.5f,           1.66666667e-1f,
                               4.16666667e-2f, 8.33333333e-3f, 1.38888889e-3f, 1.98412698e-4f};
  const V low = c(-87.33654f), high = c(88.72283f);
  const V clamped = min(high, max(low, x));  // NaN is the second operand and passes
  const V n = min(c(127.0f), round_even(clamped * c(1.44269504f)));
  V r = fma(n, c(-0.693359375f), clamped);
  r = fma(n, c(2.12194440e-4f), r);
  const V y = detail::polynomial(r, kTaylor) * exp2_integral(n);
  return select_less(x, low, c(0.0f), select_less(high, x, infinity<V>(), y));
}

/// Natural logarithm. Under 1.0 unit in the last place, subnormal arguments included; -infinity at
/// zero, NaN below, infinity and NaN kept.
/// x = m 2^e; log m = log((1 + s) / (1 - s)) with s = (m - 1) / (m + 1), odd in s.
template <typename V>
LATHE_INLINE V log(V x) {
  const auto c = [](double value) { return constant<V>(value); };
  constexpr float kOdd[] = {0x1.555554p-1f, 0x1.999a7ap-2f, 0x1.2438d8p-2f, 0x1.e2f664p-3f};
  const V tiny = c(1.17549435e-38f);
  V m;
  V e = log_parts(select_less(x, tiny, x * c(8388608.0f), x), m);
  e = e + select_less(x, tiny, c(-23.0f), c(0.0f));
  const V f = m - c(1.0f);
  const V s = f / (m + c(1.0f));
  const V z = s * s;
  const V odd = z * detail::polynomial(z, kOdd);
  const V half_square = c(0.5f) * f * f;
  const V low = fma(s, half_square + odd, e * c(9.05800061e-6f));
  const V y = fma(e, c(0.693138122558594f), f - (half_square - low));
  const V finite = select_less(x, infinity<V>(), y, x);
  const V outside = select_less(x, c(0.0f), c(std::numeric_limits<double>::quiet_NaN()),
                                x - infinity<V>());  // -infinity at 0, NaN at NaN
  return select_less(c(0.0f), x, finite, outside);
}

/// Hyperbolic tangent, under 2 units in the last place: odd polynomial below 0.625, else
/// 1 - 2 / (e^2|x| + 1).
template <typename V>
LATHE_INLINE V tanh(V x) {
  const auto c = [](double value) { return constant<V>(value); };
  constexpr float kOdd[] = {-0x1.555534p-2f, 0x1.110768p-3f, -0x1.b84448p-5f, 0x1.5256d8p-6f,
                            -0x1.76ac1ap-8f};
  const V a = abs(x);
  const V z = x * x;
  const V small = fma(x * z, detail::polynomial(z, kOdd), x);
  const V large = c(1.0f) - c(2.0f) / (exp(a + a) + c(1.0f));
  return copy_sign(select_less(a, c(0.625f), small, large), x);
}

/// Error function, under 2 units in the last place: odd polynomial below 0.9, else
/// 1 - e^p(|x|) where p fits log erfc.
template <typename V>
LATHE_INLINE V erf(V x) {
  const auto c = [](double value) { return constant<V>(value); };
  constexpr float kOdd[] = {0x1.06eba8p-3f, -0x1.812744p-2f,  0x1.ce2e6p-4f,  -0x1.b8162ap-6f,
                            0x1.5513f2p-8f, -0x1.acf7f6p-11f, 0x1.662512p-14f};
  constexpr float kLogErfc[] = {0x1.65ac0ap-13f, -0x1.212698p+0f, -0x1.444b42p-1f,
                                -0x1.bb565p-4f,  0x1.9b1956p-6f,  -0x1.10aa04p-8f,
                                0x1.c54d4cp-12f, -0x1.5ecd9ep-16f};
  const V a = abs(x);
  const V small = fma(x, detail::polynomial(x * x, kOdd), x);
  const V t = min(c(4.0f), a);
  const V large = c(1.0f) - exp(detail::polynomial(t, kLogErfc));
  return copy_sign(select_less(a, c(0.9f), small, large), x);
}

/// 1 / (1 + e^-x), under 3 units in the last place where the result is normal.
template <typename V>
LATHE_INLINE V sigmoid(V x) {
  const V one = constant<V>(1.0f);
  return one / (one + exp(constant<V>(0.0f) - x));
}

}  // namespace lathe::kernels
