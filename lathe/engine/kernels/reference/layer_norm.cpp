#include "lathe/engine/kernels/layer_norm.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

template <typename T>
T scaled(const LayerNormArgs& a, T n, std::int64_t i) {
  if (a.weight.empty()) return a.bias.empty() ? n : n + get<T>(a.bias, i);
  const T w = get<T>(a.weight, i);
  return a.bias.empty() ? n * w : fma(n, w, get<T>(a.bias, i));
}

template <typename T>
void forward(const LayerNormArgs& a) {
  const std::int64_t columns = columns_of(a.x);
  const T count = static_cast<T>(columns);
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const Row<T> x(a.x, r), y(a.y, r);
    const T mean = lane_sum<T>(columns, [&](T s, std::int64_t i) { return s + x[i]; }) / count;
    const T squares = lane_sum<T>(columns, [&](T s, std::int64_t i) {
      const T d = x[i] - mean;
      return fma(d, d, s);
    });
    const T inverse = T{1} / sqrt(squares / count + static_cast<T>(a.eps));
    if (!a.mean.empty()) put(a.mean, r, mean);
    if (!a.inverse_std.empty()) put(a.inverse_std, r, inverse);
    for (std::int64_t i = 0; i < columns; ++i) y.set(i, scaled(a, (x[i] - mean) * inverse, i));
  }
}

/// What both gradients read of row r.
template <typename T>
struct BackwardRow {
  const LayerNormBackwardArgs& a;
  Row<T> x, dy;
  T mean, inverse;

  BackwardRow(const LayerNormBackwardArgs& args, std::int64_t r)
      : a(args), x(args.x, r), dy(args.dy, r) {
    mean = get<T>(args.mean, r), inverse = get<T>(args.inverse_std, r);
  }
  T normal(std::int64_t i) const { return (x[i] - mean) * inverse; }
  T gradient(std::int64_t i) const {
    return a.weight.empty() ? dy[i] : dy[i] * get<T>(a.weight, i);
  }
};

template <typename T>
void input_gradient(const LayerNormBackwardArgs& a) {
  const std::int64_t columns = columns_of(a.x);
  const T count = static_cast<T>(columns);
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const BackwardRow<T> row(a, r);
    const Row<T> dx(a.dx, r), add_to(a.add_to, r);
    const T sum = lane_sum<T>(columns, [&](T s, std::int64_t i) { return s + row.gradient(i); });
    const T dot = lane_sum<T>(
        columns, [&](T s, std::int64_t i) { return fma(row.gradient(i), row.normal(i), s); });
    const T average = sum / count, slope = dot / count;
    for (std::int64_t i = 0; i < columns; ++i) {
      const T value = row.inverse * fma(-row.normal(i), slope, row.gradient(i) - average);
      dx.set(i, a.add_to.empty() ? value : value + add_to[i]);
    }
  }
}

template <typename T>
void weight_gradient(const LayerNormBackwardArgs& a) {
  for (std::int64_t i = 0; i < columns_of(a.x); ++i) {
    T acc = get<T>(a.dweight_acc, i);
    for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
      const BackwardRow<T> row(a, r);
      acc = fma(row.dy[i], row.normal(i), acc);
    }
    put(a.dweight_acc, i, acc);
  }
}

template <typename T>
void bias_gradient(const LayerNormBackwardArgs& a) {
  for (std::int64_t i = 0; i < columns_of(a.x); ++i) {
    T acc = get<T>(a.dbias_acc, i);
    for (std::int64_t r = 0; r < rows_of(a.x); ++r) acc = acc + Row<T>(a.dy, r)[i];
    put(a.dbias_acc, i, acc);
  }
}

template <typename T>
void backward(const LayerNormBackwardArgs& a) {
  if (!a.dweight_acc.empty()) weight_gradient<T>(a);  // first: dx may overwrite dy
  if (!a.dbias_acc.empty()) bias_gradient<T>(a);
  if (!a.dx.empty()) input_gradient<T>(a);
}

}  // namespace

void layer_norm(const LayerNormArgs& args) noexcept {
  args.x.dtype == DType::f64 ? forward<double>(args) : forward<float>(args);
}

void layer_norm_backward(const LayerNormBackwardArgs& args) noexcept {
  args.x.dtype == DType::f64 ? backward<double>(args) : backward<float>(args);
}

}  // namespace lathe::kernels::reference
