// The layers that models are built from.
#pragma once

#include "lathe/engine/ops/ops.h"
#include "lathe/model/model.h"
#include "lathe/model/nn/module.h"

namespace lathe::nn {

/// y = x W^T + b. Shapes: weight [out,in] as PyTorch stores it; x [...,in] -> [...,out].
struct Linear {
  Parameter weight;
  std::optional<Parameter> bias;

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, bool with_bias, double std)
      : weight({out, in}, Role::matrix, Init::normal(std)) {
    if (with_bias) bias.emplace(Shape{out}, Role::vector, Init::zeros());
  }
  Tensor operator()(const Tensor& x) const {
    return ops::linear(x, weight.value(), bias ? bias->value() : Tensor());
  }
  void fields(ModuleVisitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

/// GPT-2's Conv1D: y = x W + b. Shapes: weight [in,out]; x [...,in] -> [...,out].
struct Conv1d {
  Parameter weight, bias;

  Conv1d() = default;
  Conv1d(std::int64_t in, std::int64_t out, double std)
      : weight({in, out}, Role::matrix, Init::normal(std)),
        bias({out}, Role::vector, Init::zeros()) {}
  Tensor operator()(const Tensor& x) const {
    return ops::linear_in_out(x, weight.value(), bias.value());
  }
  void fields(ModuleVisitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

/// Rows of a table, as f32 (the residual stream). Shapes: ids i32 [...] -> f32 [...,C].
struct Embedding {
  Parameter weight;

  Embedding() = default;
  Embedding(std::int64_t rows, std::int64_t width, double std)
      : weight({rows, width}, Role::embedding, Init::normal(std)) {}
  Tensor operator()(const Tensor& ids) const {
    return ops::embedding(weight.value(), ids, DType::f32);
  }
  void fields(ModuleVisitor& v) { v("weight", weight); }
};

/// Source: Zhang & Sennrich 2019. The input is the f32 residual stream, the output is in `out`.
struct RmsNorm {
  Parameter weight;
  double eps = 1e-5;

  RmsNorm() = default;
  RmsNorm(std::int64_t width, double eps) : weight({width}, Role::vector, Init::ones()), eps(eps) {}
  Tensor operator()(const Tensor& x, DType out) const {
    return ops::rms_norm(x, weight.value(), eps, out);
  }
  void fields(ModuleVisitor& v) { v("weight", weight); }
};

/// Source: Ba et al. 2016.
struct LayerNorm {
  Parameter weight, bias;
  double eps = 1e-5;

  LayerNorm() = default;
  LayerNorm(std::int64_t width, double eps)
      : weight({width}, Role::vector, Init::ones()),
        bias({width}, Role::vector, Init::zeros()),
        eps(eps) {}
  Tensor operator()(const Tensor& x, DType out) const {
    return ops::layer_norm(x, weight.value(), bias.value(), eps, out);
  }
  void fields(ModuleVisitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

}  // namespace lathe::nn
