#include "lathe/engine/kernels/softmax.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

template <typename T>
void forward(const SoftmaxArgs& a, bool logarithm) {
  const std::int64_t columns = columns_of(a.x);
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const Row<T> x(a.x, r), y(a.y, r);
    const T top = lane_max<T>(columns, [&](std::int64_t i) { return x[i]; });
    const T sum = lane_sum<T>(columns, [&](T s, std::int64_t i) { return s + exp(x[i] - top); });
    const T scale = T{1} / sum, log_sum = log(sum);
    for (std::int64_t i = 0; i < columns; ++i)
      y.set(i, logarithm ? (x[i] - top) - log_sum : exp(x[i] - top) * scale);
  }
}

template <typename T>
void backward(const SoftmaxBackwardArgs& a, bool logarithm) {
  const std::int64_t columns = columns_of(a.y);
  for (std::int64_t r = 0; r < rows_of(a.y); ++r) {
    const Row<T> y(a.y, r), dy(a.dy, r), dx(a.dx, r);
    const T sum = lane_sum<T>(
        columns, [&](T s, std::int64_t i) { return logarithm ? s + dy[i] : fma(dy[i], y[i], s); });
    for (std::int64_t i = 0; i < columns; ++i)
      dx.set(i, logarithm ? fma(-exp(y[i]), sum, dy[i]) : y[i] * (dy[i] - sum));
  }
}

}  // namespace

void softmax(const SoftmaxArgs& args) noexcept {
  args.x.dtype == DType::f64 ? forward<double>(args, false) : forward<float>(args, false);
}

void log_softmax(const SoftmaxArgs& args) noexcept {
  args.x.dtype == DType::f64 ? forward<double>(args, true) : forward<float>(args, true);
}

void softmax_backward(const SoftmaxBackwardArgs& args) noexcept {
  args.y.dtype == DType::f64 ? backward<double>(args, false) : backward<float>(args, false);
}

void log_softmax_backward(const SoftmaxBackwardArgs& args) noexcept {
  args.y.dtype == DType::f64 ? backward<double>(args, true) : backward<float>(args, true);
}

}  // namespace lathe::kernels::reference
