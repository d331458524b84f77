// The layers that models are built from.
#pragma once

#include <initializer_list>
#include <vector>

#include "lathe/engine/ops/ops.h"
#include "lathe/model/model.h"
#include "lathe/model/nn/module.h"

namespace lathe::nn {

/// y = x W^T + b, or y = x W + b where the weight is stored as GPT-2's Conv1D stores it.
/// Shapes: weight [out,in] as PyTorch stores it, or [in,out]; x [...,in] -> [...,out].
struct Linear {
  Parameter weight;
  std::optional<Parameter> bias;
  bool in_out = false;

  struct Options {
    bool bias = false;
    double std = 0.02;
    bool in_out = false;
  };

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, const Options& o)
      : weight(o.in_out ? Shape{in, out} : Shape{out, in}, Role::matrix, Init::normal(o.std)),
        in_out(o.in_out) {
    weight.set_rows_are_outputs(!o.in_out);
    if (o.bias) bias.emplace(Shape{out}, Role::vector, Init::zeros());
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor b = bias ? bias->value() : Tensor();
    if (const auto& q = weight.quantised())
      return ops::linear_quantised(x, weight.value(), q->type, b, q->exact);
    if (weight.int8())
      return in_out ? ops::linear_int8_in_out(x, weight.value(), b)
                    : ops::linear_int8(x, weight.value(), b);
    if (in_out) return ops::linear_in_out(x, weight.value(), b);
    return ops::linear_coded(x, weight.value(), weight.codes(), b);
  }
  void fields(ModuleVisitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

/// Shapes: x [B,T,...] -> [B,1,...].
inline Tensor last_token(const Tensor& x) { return ops::slice(x, 1, x.dim(1) - 1, x.dim(1)); }

/// What two or three layers make of the same x. Quantised weights share a parallel region.
inline ops::Outputs apply_all(const Tensor& x, std::initializer_list<const Linear*> layers) {
  const auto exact = [](const Linear* l) { return l->weight.quantised()->exact; };
  bool joined = true;
  for (const Linear* l : layers)
    joined = joined && l->weight.quantised() && exact(l) == exact(*layers.begin());
  ops::Outputs out;
  if (!joined) {
    for (const Linear* l : layers) out.push_back((*l)(x));
    return out;
  }
  std::vector<ops::QuantisedWeight> weights;
  for (const Linear* l : layers)
    weights.push_back(
        {l->weight.value(), l->weight.quantised()->type, l->bias ? l->bias->value() : Tensor()});
  return ops::linears_quantised(x, weights, exact(*layers.begin()));
}

/// Rows of a table, as f32 (the residual stream). Shapes: ids i32 [...] -> f32 [...,C].
struct Embedding {
  Parameter weight;

  Embedding() = default;
  Embedding(std::int64_t rows, std::int64_t width, double std)
      : weight({rows, width}, Role::embedding, Init::normal(std)) {}
  Tensor operator()(const Tensor& ids) const {
    if (const auto& q = weight.quantised())
      return ops::embedding_quantised(weight.value(), q->type, ids, DType::f32);
    return ops::embedding(weight.value(), ids, DType::f32);
  }
  void fields(ModuleVisitor& v) { v("weight", weight); }
};

enum class NormKind {
  rms,           // x / rms(x) * w. Source: Zhang & Sennrich 2019
  rms_one_plus,  // the same with 1 + w, as Gemma stores its weights
  layer,         // with mean and bias. Source: Ba et al. 2016
};

/// Normalises the last axis; the result is in `out`.
struct Norm {
  Parameter weight;
  std::optional<Parameter> bias;
  NormKind kind = NormKind::rms;
  double eps = 1e-5;

  Norm() = default;
  Norm(std::int64_t width, NormKind kind, double eps)
      : weight({width}, Role::vector,
               kind == NormKind::rms_one_plus ? Init::zeros() : Init::ones()),
        kind(kind),
        eps(eps) {
    if (kind == NormKind::layer) bias.emplace(Shape{width}, Role::vector, Init::zeros());
  }
  Tensor operator()(const Tensor& x, DType out) const {
    if (kind == NormKind::layer) return ops::layer_norm(x, weight.value(), bias->value(), eps, out);
    return ops::rms_norm(x, weight.value(), eps, out, kind == NormKind::rms_one_plus ? 1.0 : 0.0);
  }
  void fields(ModuleVisitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

}  // namespace lathe::nn
