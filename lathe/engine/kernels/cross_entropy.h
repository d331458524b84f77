// Cross entropy of rows of logits against target ids, with the gradient in the same visit.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// nll = lse(z) - z[target], z = soft_cap > 0 ? soft_cap * tanh(x / soft_cap) : x; and, when
/// dlogits is given, the gradient of weight * (nll + z_loss * lse^2) with respect to x:
/// weight * ((1 + 2 z_loss lse) p - onehot) dz/dx.
/// Shapes: logits, dlogits [R,V]; targets, weights, nll, lse [R]; weights (default 1), lse and
/// dlogits may be absent; it may be logits, or in bf16 lie in the first half of each row of them.
/// Dtypes: logits and dlogits f32 or bf16 each for itself, targets i32, others f32; or all f64
/// (targets i32). Units: nats; nll is neither weighted nor does it hold the z-loss.
/// A target of -1 is none: nll, lse and the gradient row are 0. Any other target outside [0, V)
/// gives a NaN nll and a gradient row of 0; the kernel does not read beyond the row.
/// Order: top = max by 16 lanes (a vocabulary is never cut under a running maximum); sum of
/// e^(z - top) by 16 lanes; lse = top + log(sum); nll = log(sum) + (top - z[target]);
/// scale = (weight * fma(2 z_loss, lse, 1)) * (1 / sum); gradient = e^(z - top) * scale,
/// at the target minus weight, then times fma(-t, t, 1) with t = tanh(x * (1 / soft_cap)) when
/// there is a cap; rounded once.
/// Source: z-loss: Chowdhery et al. 2022, arXiv 2204.02311, section 5; cap: Gemma 2, 2408.00118.
struct CrossEntropyArgs {
  View logits, targets, weights, nll, lse, dlogits;
  float z_loss = 0.0f;
  float soft_cap = 0.0f;
};
LATHE_KERNEL(cross_entropy, CrossEntropyArgs)

}  // namespace lathe::kernels
