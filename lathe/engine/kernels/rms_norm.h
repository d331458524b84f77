// Root-mean-square normalisation of rows and its gradient.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// y = x / sqrt(mean(x^2) + eps) * (weight + offset), row by row; y may be x.
/// Shapes: x, y [R,C]; weight [C] or absent (then y = x * inverse); inverse_rms [R] or absent.
/// Dtypes: x, y, weight f32 or bf16 each for itself, inverse_rms f32; or all f64.
/// Order: s = row sum of fma(x, x, s) by 16 lanes; inverse = 1 / sqrt(s / C + eps);
/// y = (x * inverse) * (weight + offset), rounded once.
/// Source: Zhang and Sennrich 2019, arXiv 1910.07467, eq. 4; offset 1 as in Gemma.
struct RmsNormArgs {
  View x, weight, y, inverse_rms;
  float eps = 1e-5f;
  float offset = 0.0f;
};
LATHE_KERNEL(rms_norm, RmsNormArgs)

/// Gradient of rms_norm. With n = x * inverse, g = dy * (weight + offset), m = (sum g n) / C:
/// dx = inverse * (g - n m) [+ add_to], weight gradient += sum over rows of dy n.
/// Shapes: x, dy, dx, add_to [R,C]; weight [C] or absent; inverse_rms [R]; dweight_acc [C] or
/// absent. dx and dweight_acc may each be absent; dx may be dy or add_to.
/// Dtypes: x, dy, dx, weight, add_to f32 or bf16 each for itself, others f32; or all f64.
/// Order: the sum by 16 lanes of fma(g, n, s); dx = inverse * fma(-n, m, g), then + add_to, rounded
/// once; per column acc = fma(dy, n, acc), rows ascending, from the stored value on.
struct RmsNormBackwardArgs {
  View x, weight, inverse_rms, dy, add_to, dx, dweight_acc;
  float offset = 0.0f;
};
LATHE_KERNEL(rms_norm_backward, RmsNormBackwardArgs)

}  // namespace lathe::kernels
