#include "lathe/life/optim/muon.h"

#include <cmath>

#include "lathe/engine/ops/ops.h"

namespace lathe::optim {
namespace {

constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
constexpr double kNormFloor = 1e-7;

bool is_hidden_matrix(const Parameter& p) { return p.role() == autograd::Role::matrix; }

double ratio(const std::string& kind, const Shape& shape) {
  const auto rows = static_cast<double>(shape[0]), columns = static_cast<double>(shape[1]);
  if (kind == "original") return std::sqrt(std::max(1.0, rows / columns));
  return 0.2 * std::sqrt(std::max(rows, columns));
}

}  // namespace

Tensor orthogonalize(const Tensor& g, std::int64_t steps) {
  const bool tall = g.dim(0) > g.dim(1);
  Tensor x = tall ? ops::contiguous(ops::transpose(g)) : g;
  const auto constant = [&](double value) { return ops::full({}, value, DType::f64, x.device()); };
  const Tensor norm = ops::sqrt(ops::sum_of_squares(x));
  x = ops::scale_by(x, ops::div(constant(1.0), ops::maximum(norm, constant(kNormFloor))));
  for (std::int64_t i = 0; i < steps; ++i) {
    const Tensor gram = ops::matmul(x, ops::transpose(x));
    const Tensor mixed = ops::add(ops::scale(gram, kB), ops::scale(ops::matmul(gram, gram), kC));
    x = ops::add(ops::scale(x, kA), ops::matmul(mixed, x));
  }
  return tall ? ops::contiguous(ops::transpose(x)) : x;
}

Muon::Muon(const OptimizerConfig& config, const std::vector<Parameter*>& parameters)
    : config_(config) {
  std::vector<Parameter*> rest;
  for (Parameter* p : parameters) {
    if (is_hidden_matrix(*p)) {
      slots_.push_back({p, Tensor::zeros(p->shape(), DType::f32, p->device())});
    } else {
      rest.push_back(p);
    }
  }
  rest_ = std::make_unique<Adamw>(config, rest);
  const Device device = parameters.empty() ? Device::cpu : parameters[0]->device();
  facts_ = Tensor::zeros({2 + std::ssize(slots_)}, DType::f64, device);
}

void Muon::set(const Update& update) {
  rest_->set(update);
  if (!facts_.has_data()) return;  // meta
  const double lr = (config_.muon_lr > 0 ? config_.muon_lr : config_.lr) * update.schedule;
  auto* facts = facts_.data<double>();
  *facts++ = update.gradient_scale;
  *facts++ = 1.0 - lr * config_.weight_decay;
  for (const Slot& slot : slots_)
    *facts++ = -lr * ratio(config_.adjust_lr, slot.parameter->shape());
}

void Muon::apply() {
  const double mu = config_.momentum;
  const auto fact = [&](std::int64_t i) {
    return ops::reshape(ops::slice(facts_, 0, i, i + 1), Shape());
  };
  std::int64_t next = 2;
  for (Slot& slot : slots_) {
    Parameter& p = *slot.parameter;
    const Tensor step = fact(next++);
    if (!p.trainable() || !p.has_gradients()) continue;
    const Tensor g = ops::scale_by(p.gradient(), fact(0));
    ops::scale_(slot.momentum, mu);
    ops::add_acc_(slot.momentum, ops::scale(g, 1.0 - mu));
    const Tensor direction = config_.nesterov
                                 ? ops::add(ops::scale(g, 1.0 - mu), ops::scale(slot.momentum, mu))
                                 : slot.momentum;
    const Tensor o = orthogonalize(direction, config_.newton_schulz_steps);
    const Tensor master = p.master();
    ops::scale_by_(master, fact(1));
    ops::add_acc_(master, ops::scale_by(o, step));
    p.set_master(master);
  }
  rest_->apply();
}

void Muon::state(const std::function<void(const std::string&, const Tensor&)>& f) const {
  for (const Slot& slot : slots_) f("momentum." + slot.parameter->name(), slot.momentum);
  rest_->state(f);
}

}  // namespace lathe::optim
