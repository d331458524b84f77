// The AdamW update as a formula over V (float, double or F32x16); the order is in optimizer.h.
#pragma once

#include "lathe/engine/kernels/math.h"
#include "lathe/engine/kernels/optimizer.h"

namespace lathe::kernels {

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
