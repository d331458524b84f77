// The elementwise functions as formulas over V (float, double or F32x16).
#pragma once

#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/kernels/math.h"

namespace lathe::kernels {

template <Unary op, typename V>
LATHE_INLINE V unary_value(V x) {
  const V one = constant<V>(1.0);
  if constexpr (op == Unary::neg) return -x;
  if constexpr (op == Unary::abs) return abs(x);
  if constexpr (op == Unary::square) return x * x;
  if constexpr (op == Unary::sqrt) return sqrt(x);
  if constexpr (op == Unary::rsqrt) return one / sqrt(x);
  if constexpr (op == Unary::reciprocal) return one / x;
  if constexpr (op == Unary::exp) return exp(x);
  if constexpr (op == Unary::log) return log(x);
  if constexpr (op == Unary::tanh) return tanh(x);
  if constexpr (op == Unary::erf) return erf(x);
  if constexpr (op == Unary::sigmoid) return sigmoid(x);
  if constexpr (op == Unary::relu) return select_less(x, constant<V>(0.0), constant<V>(0.0), x);
}

template <Binary op, typename V>
LATHE_INLINE V binary_value(V a, V b) {
  if constexpr (op == Binary::add) return a + b;
  if constexpr (op == Binary::sub) return a - b;
  if constexpr (op == Binary::mul) return a * b;
  if constexpr (op == Binary::div) return a / b;
  if constexpr (op == Binary::max) return larger_of(a, b);
  if constexpr (op == Binary::min) return smaller_of(a, b);
}

/// body.operator()<op>() for the runtime value of op.
template <typename Body>
LATHE_INLINE void with_unary(Unary op, Body&& body) {
  switch (op) {
    case Unary::neg:
      return body.template operator()<Unary::neg>();
    case Unary::abs:
      return body.template operator()<Unary::abs>();
    case Unary::square:
      return body.template operator()<Unary::square>();
    case Unary::sqrt:
      return body.template operator()<Unary::sqrt>();
    case Unary::rsqrt:
      return body.template operator()<Unary::rsqrt>();
    case Unary::reciprocal:
      return body.template operator()<Unary::reciprocal>();
    case Unary::exp:
      return body.template operator()<Unary::exp>();
    case Unary::log:
      return body.template operator()<Unary::log>();
    case Unary::tanh:
      return body.template operator()<Unary::tanh>();
    case Unary::erf:
      return body.template operator()<Unary::erf>();
    case Unary::sigmoid:
      return body.template operator()<Unary::sigmoid>();
    case Unary::relu:
      return body.template operator()<Unary::relu>();
  }
}
template <typename Body>
LATHE_INLINE void with_binary(Binary op, Body&& body) {
  switch (op) {
    case Binary::add:
      return body.template operator()<Binary::add>();
    case Binary::sub:
      return body.template operator()<Binary::sub>();
    case Binary::mul:
      return body.template operator()<Binary::mul>();
    case Binary::div:
      return body.template operator()<Binary::div>();
    case Binary::max:
      return body.template operator()<Binary::max>();
    case Binary::min:
      return body.template operator()<Binary::min>();
  }
}

}  // namespace lathe::kernels
