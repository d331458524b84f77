// Normalisation of rows to mean 0 and variance 1, and its gradient.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// y = (x - mean) / sqrt(variance + eps) * weight + bias, row by row; y may be x.
/// Shapes: x, y [R,C]; weight, bias [C], each may be absent; mean, inverse_std [R] or absent.
/// Dtypes: x, y, weight, bias f32 or bf16 each for itself, mean and inverse_std f32; or all f64.
/// Order: mean = (row sum of x by 16 lanes) / C; with d = x - mean, variance = (row sum of
/// fma(d, d, s) by 16 lanes) / C; inverse = 1 / sqrt(variance + eps); n = d * inverse;
/// y = fma(n, weight, bias), n * weight, n + bias or n, as given; rounded once.
/// Source: Ba, Kiros and Hinton 2016, arXiv 1607.06450, eq. 4.
struct LayerNormArgs {
  View x, weight, bias, y, mean, inverse_std;
  float eps = 1e-5f;
};
LATHE_KERNEL(layer_norm, LayerNormArgs)

/// Gradient of layer_norm. With n = (x - mean) * inverse, g = dy * weight, a = (sum g) / C,
/// m = (sum g n) / C: dx = inverse * (g - a - n m) [+ add_to], weight gradient += sum over rows of
/// dy n, bias gradient += sum over rows of dy.
/// Shapes: x, dy, dx, add_to [R,C]; weight [C] or absent; mean, inverse_std [R]; dweight_acc,
/// dbias_acc [C]. dx, dweight_acc and dbias_acc may each be absent; dx may be dy or add_to.
/// Dtypes: x, dy, dx, weight, add_to f32 or bf16 each for itself, others f32; or all f64.
/// Order: both sums by 16 lanes, s + g and fma(g, n, s); dx = inverse * fma(-n, m, g - a), then
/// + add_to, rounded once; per column acc = fma(dy, n, acc) and acc = acc + dy, rows ascending,
/// from the stored value on.
struct LayerNormBackwardArgs {
  View x, weight, mean, inverse_std, dy, add_to, dx, dweight_acc, dbias_acc;
};
LATHE_KERNEL(layer_norm_backward, LayerNormBackwardArgs)

}  // namespace lathe::kernels
