#pragma once

#include "lathe/life/optim/optimizer.h"

namespace lathe::optim {

/// Loshchilov & Hutter 2019 (arXiv 1711.05101), algorithm 2, as PyTorch writes it:
///   w *= 1 - lr decay; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
///   w -= lr (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + eps).
class Adamw : public Optimizer {
 public:
  Adamw(const OptimizerConfig& config, const std::vector<Parameter*>& parameters);
  void set(const Update& update) override;
  void apply() override;
  void state(const std::function<void(const std::string&, const Tensor&)>& f) const override;

 private:
  struct Slot {
    Parameter* parameter;
    Tensor m, v;
  };
  OptimizerConfig config_;
  std::vector<Slot> slots_;
  Tensor step_;  // of ops::adamw_
};

}  // namespace lathe::optim
