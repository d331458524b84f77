#include "lathe/engine/kernels/rms_norm.h"

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

void forward_row(const RmsNormArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.x);
  const Row x(a.x, r), y(a.y, r), weight(a.weight);
  const float sum = lane_sum(columns, [&](F32x16 s, std::int64_t i, auto n) {
    const F32x16 v = x.at(i, n);
    return fma(v, v, s);
  });
  const float inverse = 1.0f / sqrt(sum / static_cast<float>(columns) + a.eps);
  if (!a.inverse_rms.empty()) a.inverse_rms.as<float>()[r] = inverse;
  const F32x16 scale = splat(inverse), offset = splat(a.offset);
  if (weight.present()) {
    each16(columns, [&](std::int64_t i, auto n) {
      y.set(i, (x.at(i, n) * scale) * (weight.at(i, n) + offset), n);
    });
  } else {
    each16(columns, [&](std::int64_t i, auto n) { y.set(i, x.at(i, n) * scale, n); });
  }
}

void backward_row(const RmsNormBackwardArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.x);
  const Row x(a.x, r), dy(a.dy, r), dx(a.dx, r), add_to(a.add_to, r), weight(a.weight);
  const float inverse = a.inverse_rms.as<float>()[r];
  const F32x16 scale = splat(inverse), offset = splat(a.offset);
  const auto gradient = [&](std::int64_t i, auto n) {
    const F32x16 g = dy.at(i, n);
    return weight.present() ? g * (weight.at(i, n) + offset) : g;
  };
  const float sum = lane_sum(columns, [&](F32x16 s, std::int64_t i, auto n) {
    return fma(gradient(i, n), x.at(i, n) * scale, s);
  });
  const F32x16 mean = splat(sum / static_cast<float>(columns));
  each16(columns, [&](std::int64_t i, auto n) {
    F32x16 value = scale * fma(-(x.at(i, n) * scale), mean, gradient(i, n));
    if (add_to.present()) value = value + add_to.at(i, n);
    dx.set(i, value, n);
  });
}

/// Columns [begin, end): one chain each.
void weight_gradient(const RmsNormBackwardArgs& a, std::int64_t begin, std::int64_t end) {
  const float* inverse = a.inverse_rms.as<float>();
  float* out = a.dweight_acc.as<float>() + begin;
  column_blocks(rows_of(a.x), end - begin,
                [&](std::int64_t first, std::int64_t last, std::int64_t i, auto n) {
                  F32x16 acc = load_some(out + i, n);
                  for (std::int64_t r = first; r < last; ++r) {
                    const F32x16 normal = Row(a.x, r).at(begin + i, n) * splat(inverse[r]);
                    acc = fma(Row(a.dy, r).at(begin + i, n), normal, acc);
                  }
                  store_some(out + i, acc, n);
                });
}

}  // namespace

void rms_norm(const RmsNormArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::rms_norm(args);
  parallel_for(rows_of(args.x), row_grain(columns_of(args.x)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) forward_row(args, r);
               });
}

void rms_norm_backward(const RmsNormBackwardArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::rms_norm_backward(args);
  const std::int64_t columns = columns_of(args.x);
  if (!args.dweight_acc.empty()) {  // first: dx may overwrite dy
    parallel_for(columns, kColumnGrain,
                 [&](std::int64_t begin, std::int64_t end) { weight_gradient(args, begin, end); });
  }
  if (args.dx.empty()) return;
  parallel_for(rows_of(args.x), row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) backward_row(args, r);
  });
}

}  // namespace lathe::kernels::LATHE_ISA
