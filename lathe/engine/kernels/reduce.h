// Sums, means and maxima over dimensions.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

enum class Reduce { sum, mean, max };

/// Reduces x to the shape of out: out is aligned with x at the right, and a dimension that is 1 or
/// missing in out is reduced. With accumulate the stored values of out are gone on from (sum and
/// max): bias gradients, and whatever was broadcast in the forward pass.
/// Shapes: x any rank and strides; out any strides. Dtypes: f32 or bf16 each for itself, computed
/// in f32 and rounded once; or both f64. max gives NaN where it meets one. An empty sum is 0, an
/// empty mean NaN, an empty max -infinity.
/// Order: the reduced dimensions at the end of x (dimensions of size 1 aside) are one row, reduced
/// by 16 lanes; the other reduced dimensions are slices, in row-major order:
/// acc = acc + row, from 0, -infinity or the stored value on (where no reduced dimension is at the
/// end, the element is the row). mean = acc / count. Threads split outputs.
struct ReduceArgs {
  View x, out;
  Reduce op = Reduce::sum;
  bool accumulate = false;
};
LATHE_KERNEL(reduce, ReduceArgs)

}  // namespace lathe::kernels
