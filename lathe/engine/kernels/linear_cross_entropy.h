// The output projection and its cross entropy, chunk by chunk, so that the [N,V] logits of a batch
// are never stored; forward alone, or forward with its gradients.
#pragma once

#include <cstdint>

#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// nll[t] = lse(z_t) - z_t[target], z = x W^T; with dx the gradient of
/// sum_t token_weights[t] (nll_t + z_loss lse_t^2) on x; with weight_acc the gradient on W is added
/// to it, tokens ascending (rows of a chunk ascend, chunks ascend: one chain).
/// Shapes: x, dx [N,C]; weight, weight_acc [V,C]; targets, token_weights, nll [N]; dx, weight_acc
/// and token_weights may be absent. Dtypes: x, weight and dx alike, f32 or bf16 (f64 in the
/// reference), or x and dx f32 and weight bf16; nll and weight_acc f32 (f64). Logits stay f32;
/// their gradient is rounded to the type of x before the products. Order: matmul.h and
/// cross_entropy.h. With bf16 products pairs of tokens never straddle a sequence of
/// rows_per_sequence rows (0: one sequence).
struct LinearCrossEntropyArgs {
  View x, weight, targets, token_weights, nll, dx, weight_acc;
  float z_loss = 0.0f;
  float soft_cap = 0.0f;  // cross_entropy.h
  std::int64_t rows_per_sequence = 0;
  void* workspace = nullptr;  // aligned to 64 bytes
  std::int64_t workspace_bytes = 0;
};

std::int64_t linear_cross_entropy_workspace(const LinearCrossEntropyArgs& args) noexcept;

/// Dispatches through the kernels it is made of. REQUIRES the workspace.
void linear_cross_entropy(const LinearCrossEntropyArgs& args) noexcept;

}  // namespace lathe::kernels
