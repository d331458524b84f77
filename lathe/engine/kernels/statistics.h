// What is asked of whole tensors and of rows: norms, non-finite numbers, largest elements.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// *result = sum of x^2 over a contiguous view; the clipping norm adds tensors in name order, f64.
/// Dtypes: f32, bf16 or f64. Order: blocks of 4,096 elements, fma(x, x, s) by 16 lanes in f32 (f64
/// where x is), blocks added ascending in f64.
struct SumOfSquaresArgs {
  View x;
  double* result = nullptr;
};
LATHE_KERNEL(sum_of_squares, SumOfSquaresArgs)

/// *result = how many elements of a contiguous view are infinite or NaN. Dtypes: f32, bf16, f64.
struct CountNonfiniteArgs {
  View x;
  std::int64_t* result = nullptr;
};
LATHE_KERNEL(count_nonfinite, CountNonfiniteArgs)

/// index[r] = the first column of row r's largest element; NaN is larger than any number; -1 for a
/// row of no columns. Shapes: x [R,C], index i32 [R]. Dtypes: f32, bf16, f64.
struct ArgmaxArgs {
  View x, index;
};
LATHE_KERNEL(argmax, ArgmaxArgs)

/// The K largest elements of each row, descending, equal ones by ascending column; NaN is larger
/// than any number; where K > C the rest is -infinity with index -1. For small K (a sampler's).
/// Shapes: x [R,C], values [R,K], indices i32 [R,K], contiguous. Dtypes: x f32 or bf16 with values
/// f32, or both f64.
struct TopKArgs {
  View x, values, indices;
};
LATHE_KERNEL(top_k, TopKArgs)

}  // namespace lathe::kernels
