// Softmax and its logarithm over rows, with gradients.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// softmax: y = e^(x - max) / sum; log_softmax: y = (x - max) - log(sum); y may be x. A row of
/// nothing but -infinity gives NaN.
/// Shapes: [R,C], rows with any stride. Dtypes: f32 or bf16 each for itself, or all f64.
/// Order: max by 16 lanes (rows are never cut under a running maximum); sum of e^(x - max) by
/// 16 lanes; softmax: y = e^(x - max) * (1 / sum). Rounded once.
struct SoftmaxArgs {
  View x, y;
};
LATHE_KERNEL(softmax, SoftmaxArgs)
LATHE_KERNEL(log_softmax, SoftmaxArgs)

/// softmax: dx = y * (dy - sum of dy y), the sum of fma(dy, y, s) by 16 lanes;
/// log_softmax: dx = fma(-e^y, sum of dy, dy), the sum by 16 lanes. dx may be dy.
/// Shapes and dtypes as softmax; y is what the forward kernel gave.
struct SoftmaxBackwardArgs {
  View y, dy, dx;
};
LATHE_KERNEL(softmax_backward, SoftmaxBackwardArgs)
LATHE_KERNEL(log_softmax_backward, SoftmaxBackwardArgs)

}  // namespace lathe::kernels
