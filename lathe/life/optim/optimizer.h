// Optimizers: what turns a step's gradients into new weights.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lathe/base/fields.h"
#include "lathe/engine/autograd/parameter.h"

namespace lathe::optim {

using autograd::Parameter;

/// The [optimizer] table.
struct OptimizerConfig {
  std::string kind = "adamw";
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;
  double clip = 1.0;
  double muon_lr = 0.0;
  double momentum = 0.95;
  bool nesterov = true;
  std::int64_t newton_schulz_steps = 5;
  std::string adjust_lr = "match_rms_adamw";

  void fields(Fields& f);
};

/// What changes from step to step.
struct Update {
  double schedule = 1.0;        // factor on every learning rate
  double gradient_scale = 1.0;  // clip coefficient / token weight of the step
  std::int64_t count = 1;       // updates done, this one included (the k of bias correction)
};

/// Reads gradient() of each trainable parameter and writes master and value. Parameters with no
/// accumulator are left alone. Weight decay acts on matrices and untied heads, not on embeddings
/// and vectors.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  void step(const Update& update) {
    set(update);
    apply();
  }
  /// Writes what changes from step to step into the tensors that apply() reads.
  virtual void set(const Update& update) = 0;
  /// The update, in ops alone, the same ones each time: it can be captured.
  virtual void apply() = 0;
  /// The state to checkpoint: f(name, tensor), the tensors being f32 and contiguous.
  virtual void state(const std::function<void(const std::string&, const Tensor&)>& f) const = 0;
};

/// Throws InvalidArgument with the known kinds.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config,
                                          const std::vector<Parameter*>& parameters);

bool decays(const Parameter& parameter);

/// sqrt(sum over parameters of |g|^2): blocks in f32, blocks and tensors ascending in f64, tensors
/// in name order. The gradients are gradient(), not yet scaled.
double gradient_norm(const std::vector<Parameter*>& parameters);
/// Its two halves: |g|^2 of each parameter, f64 [], in ops alone; and the root of their sum.
std::vector<Tensor> gradient_squares(const std::vector<Parameter*>& parameters);
double norm_of(const std::vector<Tensor>& squares);

}  // namespace lathe::optim
