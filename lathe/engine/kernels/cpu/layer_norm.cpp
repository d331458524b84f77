#include "lathe/engine/kernels/layer_norm.h"

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

void forward_row(const LayerNormArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.x);
  const float count = static_cast<float>(columns);
  const Row x(a.x, r), y(a.y, r), weight(a.weight), bias(a.bias);
  const float mean =
      lane_sum(columns, [&](F32x16 s, std::int64_t i, auto n) { return s + x.at(i, n); }) / count;
  const F32x16 centre = splat(mean);
  const float squares = lane_sum(columns, [&](F32x16 s, std::int64_t i, auto n) {
    const F32x16 d = x.at(i, n) - centre;
    return fma(d, d, s);
  });
  const float inverse = 1.0f / sqrt(squares / count + a.eps);
  if (!a.mean.empty()) a.mean.as<float>()[r] = mean;
  if (!a.inverse_std.empty()) a.inverse_std.as<float>()[r] = inverse;
  const F32x16 scale = splat(inverse);
  each16(columns, [&](std::int64_t i, auto n) {
    F32x16 v = (x.at(i, n) - centre) * scale;
    if (weight.present()) {
      const F32x16 w = weight.at(i, n);
      v = bias.present() ? fma(v, w, bias.at(i, n)) : v * w;
    } else if (bias.present()) {
      v = v + bias.at(i, n);
    }
    y.set(i, v, n);
  });
}

/// What both gradients read of row r.
struct BackwardRow {
  Row x, dy, weight;
  F32x16 mean, inverse;

  BackwardRow(const LayerNormBackwardArgs& a, std::int64_t r)
      : x(a.x, r), dy(a.dy, r), weight(a.weight) {
    mean = splat(a.mean.as<float>()[r]), inverse = splat(a.inverse_std.as<float>()[r]);
  }
  template <typename N>
  F32x16 normal(std::int64_t i, N n) const {
    return (x.at(i, n) - mean) * inverse;
  }
  template <typename N>
  F32x16 gradient(std::int64_t i, N n) const {
    return weight.present() ? dy.at(i, n) * weight.at(i, n) : dy.at(i, n);
  }
};

void backward_row(const LayerNormBackwardArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.x);
  const float count = static_cast<float>(columns);
  const BackwardRow row(a, r);
  const Row dx(a.dx, r), add_to(a.add_to, r);
  F32x16 sums = zero(), dots = zero();
  each16(columns, [&](std::int64_t i, auto n) {
    const F32x16 g = row.gradient(i, n);
    sums = advance(sums, sums + g, n);
    dots = advance(dots, fma(g, row.normal(i, n), dots), n);
  });
  const F32x16 average = splat(add_lanes(sums) / count), slope = splat(add_lanes(dots) / count);
  each16(columns, [&](std::int64_t i, auto n) {
    F32x16 value = row.inverse * fma(-row.normal(i, n), slope, row.gradient(i, n) - average);
    if (add_to.present()) value = value + add_to.at(i, n);
    dx.set(i, value, n);
  });
}

/// Both chains of columns i to i + n - 1, over rows first to last - 1.
template <typename N>
void column_gradients(const LayerNormBackwardArgs& a, std::int64_t first, std::int64_t last,
                      std::int64_t i, N n) {
  float* dweight = a.dweight_acc.as<float>();
  float* dbias = a.dbias_acc.as<float>();
  F32x16 weight_sum = dweight == nullptr ? zero() : load_some(dweight + i, n);
  F32x16 bias_sum = dbias == nullptr ? zero() : load_some(dbias + i, n);
  for (std::int64_t r = first; r < last; ++r) {
    const BackwardRow row(a, r);
    const F32x16 dy = row.dy.at(i, n);
    weight_sum = fma(dy, row.normal(i, n), weight_sum);
    bias_sum = bias_sum + dy;
  }
  if (dweight != nullptr) store_some(dweight + i, weight_sum, n);
  if (dbias != nullptr) store_some(dbias + i, bias_sum, n);
}

}  // namespace

void layer_norm(const LayerNormArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::layer_norm(args);
  parallel_for(rows_of(args.x), row_grain(columns_of(args.x)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) forward_row(args, r);
               });
}

void layer_norm_backward(const LayerNormBackwardArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::layer_norm_backward(args);
  const std::int64_t columns = columns_of(args.x);
  if (!args.dweight_acc.empty() || !args.dbias_acc.empty()) {  // first: dx may overwrite dy
    parallel_for(columns, kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
      column_blocks(rows_of(args.x), end - begin,
                    [&](std::int64_t first, std::int64_t last, std::int64_t i, auto n) {
                      column_gradients(args, first, last, begin + i, n);
                    });
    });
  }
  if (args.dx.empty()) return;
  parallel_for(rows_of(args.x), row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) backward_row(args, r);
  });
}

}  // namespace lathe::kernels::LATHE_ISA
