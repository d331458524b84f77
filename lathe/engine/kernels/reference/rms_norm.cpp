#include "lathe/engine/kernels/rms_norm.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

template <typename T>
void forward(const RmsNormArgs& a) {
  const std::int64_t columns = columns_of(a.x);
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const Row<T> x(a.x, r), y(a.y, r);
    const T sum = lane_sum<T>(columns, [&](T s, std::int64_t i) { return fma(x[i], x[i], s); });
    const T inverse = T{1} / sqrt(sum / static_cast<T>(columns) + static_cast<T>(a.eps));
    if (!a.inverse_rms.empty()) put(a.inverse_rms, r, inverse);
    for (std::int64_t i = 0; i < columns; ++i) {
      const T n = x[i] * inverse;
      y.set(i, a.weight.empty() ? n : n * (get<T>(a.weight, i) + static_cast<T>(a.offset)));
    }
  }
}

template <typename T>
void input_gradient(const RmsNormBackwardArgs& a) {
  const std::int64_t columns = columns_of(a.x);
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const Row<T> x(a.x, r), dy(a.dy, r), dx(a.dx, r), add_to(a.add_to, r);
    const T inverse = get<T>(a.inverse_rms, r);
    const auto gradient = [&](std::int64_t i) {
      return a.weight.empty() ? dy[i] : dy[i] * (get<T>(a.weight, i) + static_cast<T>(a.offset));
    };
    const T sum = lane_sum<T>(
        columns, [&](T s, std::int64_t i) { return fma(gradient(i), x[i] * inverse, s); });
    const T mean = sum / static_cast<T>(columns);
    for (std::int64_t i = 0; i < columns; ++i) {
      const T value = inverse * fma(-(x[i] * inverse), mean, gradient(i));
      dx.set(i, a.add_to.empty() ? value : value + add_to[i]);
    }
  }
}

template <typename T>
void weight_gradient(const RmsNormBackwardArgs& a) {
  for (std::int64_t i = 0; i < columns_of(a.x); ++i) {
    T acc = get<T>(a.dweight_acc, i);
    for (std::int64_t r = 0; r < rows_of(a.x); ++r)
      acc = fma(Row<T>(a.dy, r)[i], Row<T>(a.x, r)[i] * get<T>(a.inverse_rms, r), acc);
    put(a.dweight_acc, i, acc);
  }
}

template <typename T>
void backward(const RmsNormBackwardArgs& a) {
  if (!a.dweight_acc.empty()) weight_gradient<T>(a);  // first: dx may overwrite dy
  if (!a.dx.empty()) input_gradient<T>(a);
}

}  // namespace

void rms_norm(const RmsNormArgs& args) noexcept {
  args.x.dtype == DType::f64 ? forward<double>(args) : forward<float>(args);
}

void rms_norm_backward(const RmsNormBackwardArgs& args) noexcept {
  args.x.dtype == DType::f64 ? backward<double>(args) : backward<float>(args);
}

}  // namespace lathe::kernels::reference
