// Elementwise arithmetic, comparison and selection with broadcasting and any strides.
//
// Broadcasting: an input whose rank is lower than the output's is aligned at the right; a dimension
// of size 1, or of stride 0, is repeated. The output may be an input of the same dtype and strides.
// Dtypes: every view f32, bf16 or f16 each for itself, computed in f32 and rounded once; with an
// f64 among them, in f64; integers as said. Threads split the output.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// rsqrt is 1 / sqrt(x); relu keeps NaN. Elementary functions: math.h.
enum class Unary {
  neg,
  abs,
  square,
  sqrt,
  rsqrt,
  reciprocal,
  exp,
  log,
  tanh,
  erf,
  sigmoid,
  relu,
};

/// out = op(x). Integers: neg, abs, square and relu in 64 bits, stored modulo 2^bits.
struct UnaryArgs {
  View x, out;
  Unary op = Unary::neg;
};
LATHE_KERNEL(unary, UnaryArgs)

/// out = x * factor, the factor rounded to f32 first (f64: not).
struct ScaleArgs {
  View x, out;
  double factor = 1.0;
};
LATHE_KERNEL(scale, ScaleArgs)

/// max and min give NaN where either side is NaN, and a where a equals b.
enum class Binary { add, sub, mul, div, max, min };

/// out = a op b. Both integers: in 64 bits, stored modulo 2^bits; division truncates, by zero it
/// gives 0.
struct BinaryArgs {
  View a, b, out;
  Binary op = Binary::add;
};
LATHE_KERNEL(binary, BinaryArgs)

enum class Compare { eq, ne, lt, le, gt, ge };

/// out = a op b ? 1 : 0; a comparison with NaN is false except ne. out: boolean or u8. Two integers
/// are compared as such, an integer with a float in f64.
struct CompareArgs {
  View a, b, out;
  Compare op = Compare::eq;
};
LATHE_KERNEL(compare, CompareArgs)

/// out = condition != 0 ? a : b. condition: boolean or u8; a, b and out all floating or all of one
/// integer type.
struct SelectArgs {
  View condition, a, b, out;
};
LATHE_KERNEL(select, SelectArgs)

/// out = fma(alpha, a, beta * b), both factors rounded to f32 first (f64: not): momentum, weight
/// averaging, interpolation.
struct CombineArgs {
  View a, b, out;
  double alpha = 1.0, beta = 1.0;
};
LATHE_KERNEL(combine, CombineArgs)

}  // namespace lathe::kernels
