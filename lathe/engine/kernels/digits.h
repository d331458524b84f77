// Activations in two digits of int8: a first rounding, and what it leaves over, which is rounded
// in its turn (linear_quantised.h). Internal to kernels/.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// split[m] = x[m]; split[M + m] = fma(-scale, q, x[m]) with scale and q of each block of 32
/// (quant_activation.h). Shapes: x [M,K], split [2M,K], dense, K a multiple of 32. Dtypes: x f32 or
/// bf16, split f32.
struct SplitDigitsArgs {
  View x, split;
};
LATHE_KERNEL(split_digits, SplitDigitsArgs)

/// y[m] = (sums[m] + sums[M + m]) + bias. Shapes: sums [2M,N], y [M,N], bias [N] or absent; dense.
/// Dtypes: sums f32, y and bias f32 or bf16.
struct AddDigitsArgs {
  View sums, bias, y;
};
LATHE_KERNEL(add_digits, AddDigitsArgs)

}  // namespace lathe::kernels
