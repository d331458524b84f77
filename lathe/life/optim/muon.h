#pragma once

#include "lathe/life/optim/adamw.h"

namespace lathe::optim {

/// Muon for hidden matrices, AdamW for all else (embeddings, heads, vectors).
///   B = mu B + (1 - mu) g;  u = nesterov ? g + mu (B - g) : B;  o = orthogonalize(u);
///   w *= 1 - lr decay;  w -= lr r o,  r by adjust_lr: "original" sqrt(max(1, rows / columns)),
///   "match_rms_adamw" 0.2 sqrt(max(rows, columns)).
/// Source: Jordan et al. 2024 (Muon); Liu et al. 2025, arXiv 2502.16982, section 2.2 (RMS match).
class Muon : public Optimizer {
 public:
  Muon(const OptimizerConfig& config, const std::vector<Parameter*>& parameters);
  void set(const Update& update) override;
  void apply() override;
  void state(const std::function<void(const std::string&, const Tensor&)>& f) const override;

 private:
  struct Slot {
    Parameter* parameter;
    Tensor momentum;
  };
  OptimizerConfig config_;
  std::vector<Slot> slots_;
  Tensor facts_;  // f64: gradient scale, 1 - lr decay, then -lr r of each slot
  std::unique_ptr<Adamw> rest_;
};

/// Newton-Schulz towards the nearest semi-orthogonal matrix: X = G / max(|G|_F, 1e-7), wide way
/// round, then `steps` times A = X X^T; X = a X + (b A + c A^2) X with a, b, c = 3.4445, -4.7750,
/// 2.0315. Singular values from 0.003 on end in [0.68, 1.20]. Shapes: f32 [R,C] -> f32 [R,C].
/// Source: Jordan et al. 2024.
Tensor orthogonalize(const Tensor& g, std::int64_t steps);

}  // namespace lathe::optim
