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
}

void Adamw::step(const Update& update) {
  const auto k = static_cast<double>(update.count);
  ops::AdamwStep s{.lr = config_.lr * update.schedule,
                   .beta1 = config_.beta1,
                   .beta2 = config_.beta2,
                   .eps = config_.eps,
                   .bias1 = 1.0 - std::pow(config_.beta1, k),
                   .bias2 = 1.0 - std::pow(config_.beta2, k),
                   .gradient_scale = update.gradient_scale};
  for (Slot& slot : slots_) {
    Parameter& p = *slot.parameter;
    if (!p.trainable() || !p.has_gradients()) continue;
    s.weight_decay = decays(p) ? config_.weight_decay : 0.0;
    ops::adamw_(p.state(), p.gradient(), slot.m, slot.v, s);
  }
}

void Adamw::state(const std::function<void(const std::string&, const Tensor&)>& f) const {
  for (const Slot& slot : slots_) {
    f("m." + slot.parameter->name(), slot.m);
    f("v." + slot.parameter->name(), slot.v);
  }
}

}  // namespace lathe::optim
