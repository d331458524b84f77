#include "lathe/life/optim/adamw.h"

#include <cmath>

#include "lathe/engine/ops/ops.h"

namespace lathe::optim {

Adamw::Adamw(const OptimizerConfig& config, const std::vector<Parameter*>& parameters)
    : config_(config) {
  for (Parameter* p : parameters) {
    const Device device = p->device();
    slots_.push_back({p, Tensor::zeros(p->shape(), DType::f32, device),
                      Tensor::zeros(p->shape(), DType::f32, device)});
  }
  const Device device = parameters.empty() ? Device::cpu : parameters[0]->device();
  step_ = Tensor::zeros({ops::kAdamwFacts}, DType::f64, device);
}

void Adamw::set(const Update& update) {
  if (!step_.has_data()) return;  // meta
  const auto k = static_cast<double>(update.count);
  auto* step = step_.data<double>();
  step[0] = config_.lr * update.schedule;
  step[1] = 1.0 - std::pow(config_.beta1, k);
  step[2] = 1.0 - std::pow(config_.beta2, k);
  step[3] = update.gradient_scale;
}

void Adamw::apply() {
  ops::AdamwRule rule{.beta1 = config_.beta1, .beta2 = config_.beta2, .eps = config_.eps};
  for (Slot& slot : slots_) {
    Parameter& p = *slot.parameter;
    if (!p.trainable() || !p.has_gradients()) continue;
    rule.weight_decay = decays(p) ? config_.weight_decay : 0.0;
    ops::adamw_(p.state(), p.gradient(), slot.m, slot.v, step_, rule);
  }
}

void Adamw::state(const std::function<void(const std::string&, const Tensor&)>& f) const {
  for (const Slot& slot : slots_) {
    f("m." + slot.parameter->name(), slot.m);
    f("v." + slot.parameter->name(), slot.v);
  }
}

}  // namespace lathe::optim
