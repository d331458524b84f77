#include "lathe/engine/kernels/optimizer.h"

#include "lathe/engine/kernels/cpu/lanes.h"
#include "lathe/engine/kernels/optimizer_math.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

/// A contiguous view of any rank as one row.
Row flat(View v) {
  v.rank = 1;
  return Row(v);
}

/// body(i, n) over all elements on all threads.
template <typename Body>
void each_element(const View& v, Body body) {
  parallel_for(v.count(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    each16(end - begin, [&](std::int64_t i, auto n) { body(begin + i, n); });
  });
}

/// Sixteen masters of SplitMaster at a time, through f32 on the stack.
struct SplitRow : SplitMaster {
  using SplitMaster::SplitMaster;

  template <typename N>
  F32x16 at(std::int64_t i, N n) const {
    alignas(64) float lanes[16] = {};
    for (int l = 0; l < n; ++l) lanes[l] = get(i + l);
    return load(lanes);
  }
  template <typename N>
  void set(std::int64_t i, F32x16 x, N n) const {
    alignas(64) float lanes[16];
    store(lanes, x);
    for (int l = 0; l < n; ++l) SplitMaster::set(i + l, lanes[l]);
  }
};

/// A whole f32 master with a shadow that may be absent.
struct ShadowedRow {
  Row theta, shadow;

  template <typename N>
  F32x16 at(std::int64_t i, N n) const {
    return theta.at(i, n);
  }
  template <typename N>
  void set(std::int64_t i, F32x16 x, N n) const {
    theta.set(i, x, n);
    if (shadow.present()) shadow.set(i, x, n);
  }
};

}  // namespace

void adamw(const AdamwArgs& args) noexcept {
  if (args.gradient.dtype == DType::f64) return reference::adamw(args);
  const AdamwRule<F32x16> rule(args);
  const Row gradient = flat(args.gradient), m = flat(args.m), v = flat(args.v);
  const auto update = [&](const auto& theta) {
    each_element(args.gradient, [&](std::int64_t i, auto n) {
      F32x16 value = theta.at(i, n), first = m.at(i, n), second = v.at(i, n);
      rule.apply(value, gradient.at(i, n), first, second);
      theta.set(i, value, n);
      m.set(i, first, n);
      v.set(i, second, n);
      if (args.clear_gradient) gradient.set(i, zero(), n);
    });
  };
  if (!args.rest.empty()) return update(SplitRow(args.shadow, args.rest));
  update(ShadowedRow{flat(args.theta), flat(args.shadow)});
}

void split_master(const SplitMasterArgs& args) noexcept {
  const SplitRow split(args.value, args.rest);
  const Row master = flat(args.master);
  each_element(args.master, [&](std::int64_t i, auto n) { split.set(i, master.at(i, n), n); });
}

void join_master(const SplitMasterArgs& args) noexcept {
  const SplitRow split(args.value, args.rest);
  const Row master = flat(args.master);
  each_element(args.master, [&](std::int64_t i, auto n) { master.set(i, split.at(i, n), n); });
}

void momentum(const MomentumArgs& args) noexcept {
  if (args.gradient.dtype == DType::f64) return reference::momentum(args);
  const F32x16 mu = splat(static_cast<float>(args.mu));
  const F32x16 scale = splat(static_cast<float>(args.gradient_scale));
  const Row gradient = flat(args.gradient), buffer = flat(args.buffer), out = flat(args.out);
  each_element(args.gradient, [&](std::int64_t i, auto n) {
    const F32x16 g = gradient.at(i, n) * scale;
    const F32x16 next = fma(mu, buffer.at(i, n), g);
    buffer.set(i, next, n);
    out.set(i, args.nesterov ? fma(mu, next, g) : next, n);
  });
}

void decayed_step(const DecayedStepArgs& args) noexcept {
  if (args.theta.dtype == DType::f64) return reference::decayed_step(args);
  const F32x16 step = splat(static_cast<float>(-args.step));
  const F32x16 decay = splat(static_cast<float>(args.decay));
  const Row theta = flat(args.theta), update = flat(args.update), shadow = flat(args.shadow);
  each_element(args.theta, [&](std::int64_t i, auto n) {
    const F32x16 value = fma(step, update.at(i, n), theta.at(i, n) * decay);
    theta.set(i, value, n);
    if (shadow.present()) shadow.set(i, value, n);
  });
}

}  // namespace lathe::kernels::LATHE_ISA
