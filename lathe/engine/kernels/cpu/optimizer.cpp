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

}  // namespace

void adamw(const AdamwArgs& args) noexcept {
  if (args.theta.dtype == DType::f64) return reference::adamw(args);
  const AdamwRule<F32x16> rule(args);
  const Row theta = flat(args.theta), gradient = flat(args.gradient), m = flat(args.m);
  const Row v = flat(args.v), shadow = flat(args.shadow);
  each_element(args.theta, [&](std::int64_t i, auto n) {
    F32x16 value = theta.at(i, n), first = m.at(i, n), second = v.at(i, n);
    rule.apply(value, gradient.at(i, n), first, second);
    theta.set(i, value, n);
    m.set(i, first, n);
    v.set(i, second, n);
    if (shadow.present()) shadow.set(i, value, n);
    if (args.clear_gradient) gradient.set(i, zero(), n);
  });
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
