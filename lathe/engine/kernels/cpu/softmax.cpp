#include "lathe/engine/kernels/softmax.h"

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

void forward_row(const SoftmaxArgs& a, std::int64_t r, bool logarithm) {
  const std::int64_t columns = columns_of(a.x);
  const Row x(a.x, r), y(a.y, r);
  const F32x16 top = splat(lane_max(columns, [&](std::int64_t i, auto n) { return x.at(i, n); }));
  const float sum = lane_sum(
      columns, [&](F32x16 s, std::int64_t i, auto n) { return s + exp(x.at(i, n) - top); });
  if (logarithm) {
    const F32x16 log_sum = splat(log(sum));
    each16(columns, [&](std::int64_t i, auto n) { y.set(i, (x.at(i, n) - top) - log_sum, n); });
  } else {
    const F32x16 scale = splat(1.0f / sum);
    each16(columns, [&](std::int64_t i, auto n) { y.set(i, exp(x.at(i, n) - top) * scale, n); });
  }
}

void backward_row(const SoftmaxBackwardArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.y);
  const Row y(a.y, r), dy(a.dy, r), dx(a.dx, r);
  const F32x16 sum = splat(lane_sum(
      columns, [&](F32x16 s, std::int64_t i, auto n) { return fma(dy.at(i, n), y.at(i, n), s); }));
  each16(columns, [&](std::int64_t i, auto n) { dx.set(i, y.at(i, n) * (dy.at(i, n) - sum), n); });
}

void log_backward_row(const SoftmaxBackwardArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.y);
  const Row y(a.y, r), dy(a.dy, r), dx(a.dx, r);
  const F32x16 sum =
      splat(lane_sum(columns, [&](F32x16 s, std::int64_t i, auto n) { return s + dy.at(i, n); }));
  each16(columns,
         [&](std::int64_t i, auto n) { dx.set(i, fma(-exp(y.at(i, n)), sum, dy.at(i, n)), n); });
}

template <typename Body>
void each_row(const View& x, Body body) {
  parallel_for(rows_of(x), row_grain(columns_of(x)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) body(r);
  });
}

}  // namespace

void softmax(const SoftmaxArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::softmax(args);
  each_row(args.x, [&](std::int64_t r) { forward_row(args, r, false); });
}

void log_softmax(const SoftmaxArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::log_softmax(args);
  each_row(args.x, [&](std::int64_t r) { forward_row(args, r, true); });
}

void softmax_backward(const SoftmaxBackwardArgs& args) noexcept {
  if (args.y.dtype == DType::f64) return reference::softmax_backward(args);
  each_row(args.y, [&](std::int64_t r) { backward_row(args, r); });
}

void log_softmax_backward(const SoftmaxBackwardArgs& args) noexcept {
  if (args.y.dtype == DType::f64) return reference::log_softmax_backward(args);
  each_row(args.y, [&](std::int64_t r) { log_backward_row(args, r); });
}

}  // namespace lathe::kernels::LATHE_ISA
