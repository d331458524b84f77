// The activations as formulas over V (float, double or F32x16), in a fixed sequence of operations:
// value(x) and slope(x), its derivative.
#pragma once

#include "lathe/engine/kernels/activation.h"
#include "lathe/engine/kernels/math.h"

namespace lathe::kernels {

/// x sigmoid(x). Source: Elfwing et al. 2017, arXiv 1702.03118.
struct Silu {
  template <typename V>
  LATHE_INLINE static V value(V x) {
    return x * sigmoid(x);
  }
  template <typename V>
  LATHE_INLINE static V slope(V x) {
    const V one = constant<V>(1.0), s = sigmoid(x);
    return s * fma(x, one - s, one);
  }
};

/// x Phi(x) with Phi by tanh. Source: Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2.
struct GeluTanh {
  static constexpr double kScale = 0.79788456080286535588;  // sqrt(2 / pi)
  static constexpr double kCubic = 0.044715;

  template <typename V>
  LATHE_INLINE static V inner(V x) {
    const V one = constant<V>(1.0);
    return tanh(constant<V>(kScale) * x * fma(constant<V>(kCubic), x * x, one));
  }
  template <typename V>
  LATHE_INLINE static V value(V x) {
    const V half = constant<V>(0.5) * x;
    return fma(half, inner(x), half);
  }
  template <typename V>
  LATHE_INLINE static V slope(V x) {
    const V one = constant<V>(1.0), half = constant<V>(0.5), t = inner(x);
    const V du = constant<V>(kScale) * fma(constant<V>(3 * kCubic), x * x, one);
    return fma(half * x * fma(-t, t, one), du, fma(half, t, half));
  }
};

/// x Phi(x) with Phi by the error function.
struct GeluErf {
  template <typename V>
  LATHE_INLINE static V inner(V x) {
    return erf(x * constant<V>(0.70710678118654752440));
  }
  template <typename V>
  LATHE_INLINE static V value(V x) {
    const V half = constant<V>(0.5) * x;
    return fma(half, inner(x), half);
  }
  template <typename V>
  LATHE_INLINE static V slope(V x) {
    const V half = constant<V>(0.5);
    const V density = constant<V>(0.39894228040143267794) * exp(-half * x * x);
    return fma(x, density, fma(half, inner(x), half));
  }
};

/// max(x, 0), NaN kept; slope 0 at 0.
struct Relu {
  template <typename V>
  LATHE_INLINE static V value(V x) {
    return select_less(x, constant<V>(0.0), constant<V>(0.0), x);
  }
  template <typename V>
  LATHE_INLINE static V slope(V x) {
    return select_less(constant<V>(0.0), x, constant<V>(1.0), constant<V>(0.0));
  }
};

/// max(x, 0)^2. Source: So et al. 2021, arXiv 2109.08668 (Primer).
struct ReluSquared {
  template <typename V>
  LATHE_INLINE static V value(V x) {
    const V r = Relu::value(x);
    return r * r;
  }
  template <typename V>
  LATHE_INLINE static V slope(V x) {
    const V r = Relu::value(x);
    return r + r;
  }
};

/// body(formula) with the formula of `kind`.
template <typename Body>
LATHE_INLINE void with_activation(Activation kind, Body&& body) {
  switch (kind) {
    case Activation::silu:
      return body(Silu{});
    case Activation::gelu_tanh:
      return body(GeluTanh{});
    case Activation::gelu_erf:
      return body(GeluErf{});
    case Activation::relu:
      return body(Relu{});
    case Activation::relu_squared:
      return body(ReluSquared{});
  }
}

}  // namespace lathe::kernels
