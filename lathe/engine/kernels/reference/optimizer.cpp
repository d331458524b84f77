#include "lathe/engine/kernels/optimizer.h"

#include "lathe/engine/kernels/optimizer_math.h"
#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

template <typename T>
void adamw_step(const AdamwArgs& a) {
  const AdamwRule<T> rule(a);
  const SplitMaster split(a.shadow, a.rest);
  const bool whole = a.rest.empty();
  for (std::int64_t i = 0; i < a.gradient.count(); ++i) {
    T theta = whole ? get<T>(a.theta, i) : static_cast<T>(split.get(i));
    T m = get<T>(a.m, i), v = get<T>(a.v, i);
    rule.apply(theta, get<T>(a.gradient, i), m, v);
    put(a.m, i, m);
    put(a.v, i, v);
    if (!whole) {
      split.set(i, static_cast<float>(theta));
    } else {
      put(a.theta, i, theta);
      if (!a.shadow.empty()) put(a.shadow, i, theta);
    }
    if (a.clear_gradient) put(a.gradient, i, T{0});
  }
}

template <typename T>
void momentum_step(const MomentumArgs& a) {
  const T mu = static_cast<T>(a.mu), scale = static_cast<T>(a.gradient_scale);
  for (std::int64_t i = 0; i < a.gradient.count(); ++i) {
    const T g = get<T>(a.gradient, i) * scale;
    const T buffer = fma(mu, get<T>(a.buffer, i), g);
    put(a.buffer, i, buffer);
    put(a.out, i, a.nesterov ? fma(mu, buffer, g) : buffer);
  }
}

template <typename T>
void plain_step(const DecayedStepArgs& a) {
  const T step = static_cast<T>(-a.step), decay = static_cast<T>(a.decay);
  for (std::int64_t i = 0; i < a.theta.count(); ++i) {
    const T theta = fma(step, get<T>(a.update, i), get<T>(a.theta, i) * decay);
    put(a.theta, i, theta);
    if (!a.shadow.empty()) put(a.shadow, i, theta);
  }
}

}  // namespace

void adamw(const AdamwArgs& args) noexcept {
  args.gradient.dtype == DType::f64 ? adamw_step<double>(args) : adamw_step<float>(args);
}

void split_master(const SplitMasterArgs& args) noexcept {
  const SplitMaster split(args.value, args.rest);
  for (std::int64_t i = 0; i < args.master.count(); ++i) split.set(i, get<float>(args.master, i));
}

void join_master(const SplitMasterArgs& args) noexcept {
  const SplitMaster split(args.value, args.rest);
  for (std::int64_t i = 0; i < args.master.count(); ++i) put(args.master, i, split.get(i));
}

void momentum(const MomentumArgs& args) noexcept {
  args.gradient.dtype == DType::f64 ? momentum_step<double>(args) : momentum_step<float>(args);
}

void decayed_step(const DecayedStepArgs& args) noexcept {
  args.theta.dtype == DType::f64 ? plain_step<double>(args) : plain_step<float>(args);
}

}  // namespace lathe::kernels::reference
