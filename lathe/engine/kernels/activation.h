// Activations, plain and gated (SwiGLU, GEGLU, ...), with gradients.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// Formulas in activation_math.h; their sequence of operations is the definition.
enum class Activation { silu, gelu_tanh, gelu_erf, relu, relu_squared };

/// y = f(x); y may be x.
/// Shapes: [R,C] or [N], rows with any stride. Dtypes: f32 or bf16 each for itself, or all f64;
/// computed in f32 and rounded once.
struct ActivationArgs {
  View x, y;
  Activation kind = Activation::silu;
};
LATHE_KERNEL(activation, ActivationArgs)

/// dx = dy f'(x); dx may be dy or x.
struct ActivationBackwardArgs {
  View x, dy, dx;
  Activation kind = Activation::silu;
};
LATHE_KERNEL(activation_backward, ActivationBackwardArgs)

/// y = f(gate) * up; with silu this is SwiGLU. gate and up may be the halves of one [R,2C] array.
/// Shapes and dtypes as activation. Source: Shazeer 2020, arXiv 2002.05202, eq. 5.
struct GatedArgs {
  View gate, up, y;
  Activation kind = Activation::silu;
};
LATHE_KERNEL(gated, GatedArgs)

/// dgate = (dy * up) * f'(gate), dup = dy * f(gate); dgate may be gate, dup may be up or dy.
struct GatedBackwardArgs {
  View gate, up, dy, dgate, dup;
  Activation kind = Activation::silu;
};
LATHE_KERNEL(gated_backward, GatedBackwardArgs)

}  // namespace lathe::kernels
