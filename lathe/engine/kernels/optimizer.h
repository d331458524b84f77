// The elementwise halves of optimizers: one pass over all state of a tensor.
//
// All views of a call are contiguous and of equal count. Dtypes: f32; shadow (the copy that is
// computed with) f32 or bf16; moments and buffers may be bf16; or all f64. Scalars are combined in
// f64 and rounded to f32 once, so that 1 - beta2 keeps its digits.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// One AdamW update. shadow may be absent.
/// Order, with the constants in parentheses rounded first:
///   g = gradient * (gradient_scale)
///   m = fma((beta1), m, (1 - beta1) * g)
///   v = fma((beta2), v, ((1 - beta2) * g) * g)
///   theta = fma(-(lr / bias1), m / (sqrt(v * (1 / bias2)) + (eps)), theta * (1 - lr weight_decay))
///   shadow = theta, rounded once.
/// m and v are rounded to their types after theta is computed from the unrounded values.
/// Without theta, shadow and rest hold it (SplitMasterArgs) and take it back.
/// bias1 = 1 - beta1^k, bias2 = 1 - beta2^k, k counting from 1. clear_gradient stores zeros.
/// Source: Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2, in PyTorch's form (decay
/// multiplied by lr, eps outside the root and after the bias correction).
struct AdamwArgs {
  View theta, gradient, m, v, shadow, rest;
  double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0;
  double bias1 = 1, bias2 = 1;
  double gradient_scale = 1;
  bool clear_gradient = false;
};
LATHE_KERNEL(adamw, AdamwArgs)

/// An f32 master kept as two halves without loss: its value rounded to bf16 (ties away from zero),
/// which is computed with, and the lower 16 bits. Shapes: master f32 [n], value bf16 [n], rest u8
/// [2 n], little-endian. Four bytes a weight instead of six for master and value.
struct SplitMasterArgs {
  View master, value, rest;
};
LATHE_KERNEL(split_master, SplitMasterArgs)
/// The inverse: writes master from value and rest.
LATHE_KERNEL(join_master, SplitMasterArgs)

/// Momentum, plain or Nesterov's: g = gradient * (gradient_scale); buffer = fma((mu), buffer, g);
/// out = nesterov ? fma((mu), buffer, g) : buffer. out may be gradient; out f32 or bf16.
/// Source: Jordan et al. 2024 (Muon), as torch.optim.Muon before orthogonalisation.
struct MomentumArgs {
  View gradient, buffer, out;
  double mu = 0.95, gradient_scale = 1;
  bool nesterov = true;
};
LATHE_KERNEL(momentum, MomentumArgs)

/// theta = fma(-(step), update, theta * (decay)); shadow = theta, rounded once. SGD and the last
/// step of Muon. shadow may be absent.
struct DecayedStepArgs {
  View theta, update, shadow;
  double step = 0, decay = 1;
};
LATHE_KERNEL(decayed_step, DecayedStepArgs)

}  // namespace lathe::kernels
