// The gradients of weight and bias that all linear layers share, whatever they multiply by in the
// forward pass.
#pragma once

#include "lathe/engine/ops/op.h"

namespace lathe::ops {

/// Inputs x, weight ([out,in], or [in,out] where in_out) and perhaps bias; one output. Each
/// gradient that the sink wants, tokens ascending, going on from its accumulator where there is
/// one.
void add_weight_gradient(const VjpCall& call, bool in_out, GradSink& sink);
void add_bias_gradient(const VjpCall& call, GradSink& sink);

}  // namespace lathe::ops
