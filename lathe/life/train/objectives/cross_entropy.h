#pragma once

#include "lathe/life/train/objective.h"

namespace lathe::train {

/// Next-token prediction: sum over tokens of w_t (lse(z_t) - z_t[target_t]), with z-loss on the
/// gradient only. Source: spec of the training mathematics, 4.1 to 4.3.
///
/// `int8`: a micro-step multiplies in int8 (model::LanguageModel::set_int8). losses() do not: they
/// judge the weights as they will be served.
class CrossEntropy : public Objective {
 public:
  explicit CrossEntropy(double z_loss, bool int8 = false) : z_loss_(z_loss), int8_(int8) {}
  Tensor micro_step(model::LanguageModel& model, const BatchTensors& batch) override;
  Tensor losses(model::LanguageModel& model, const BatchTensors& batch) override;

 private:
  double z_loss_;
  bool int8_;
};

}  // namespace lathe::train
