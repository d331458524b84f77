// The feed-forward part of a decoder block.
#pragma once

#include "lathe/model/nn/architecture.h"

namespace lathe::nn {

/// The activation of that name in ModelConfig.
inline ops::Activation activation_of(const std::string& name) {
  if (name == "gelu") return ops::Activation::gelu;
  if (name == "gelu_tanh") return ops::Activation::gelu_tanh;
  return name == "relu" ? ops::Activation::relu : ops::Activation::silu;
}

/// W_down(f(W_gate x) * W_up x), or W_down f(W_up x + b) + b. Source: Shazeer 2020.
struct Mlp {
  std::optional<Linear> gate, up, gate_up;
  Linear down;

  Mlp(const model::ModelConfig& c, const Architecture& a)
      : down(c.hidden, c.width, {.bias = a.mlp_bias, .std = a.residual_std, .in_out = a.in_out}),
        names_(&a.names),
        hidden_(c.hidden),
        f_(activation_of(c.activation)) {
    const Linear::Options in{.bias = a.mlp_bias, .std = c.init_std, .in_out = a.in_out};
    if (a.gated && a.gate_up) gate_up.emplace(c.width, 2 * c.hidden, in);
    if (a.gated && !a.gate_up) gate.emplace(c.width, c.hidden, in);
    if (!gate_up) up.emplace(c.width, c.hidden, in);
  }

  /// Shapes: x [...,C] -> [...,C].
  Tensor operator()(const Tensor& x) const {
    if (gate) {
      const ops::Outputs both = apply_all(x, {&*gate, &*up});
      return down(ops::gated(both[0], both[1], f_));
    }
    if (!gate_up) return down(ops::activate((*up)(x), f_));
    const Tensor both = (*gate_up)(x);
    const auto half = [&](std::int64_t i) {
      return ops::slice(both, both.rank() - 1, i * hidden_, (i + 1) * hidden_);
    };
    return down(ops::gated(half(0), half(1), f_));
  }

  void fields(ModuleVisitor& v) {
    v(names_->gate, gate);
    v(names_->up, up);
    v(names_->gate_up, gate_up);
    v(names_->down, down);
  }

 private:
  const DecoderNames* names_;
  std::int64_t hidden_;
  ops::Activation f_;
};

}  // namespace lathe::nn
