// The words in which reference kernels are written: one element of a View, and the canonical sum
// of a row (docs/decisions/0001). T is the type that is computed in: float (f32, and bf16 or f16
// widened) or double (f64). Only reference/*.cpp include this file.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/float16.h"
#include "lathe/engine/kernels/rows.h"

namespace lathe::kernels::reference {

/// Element at `offset` of a floating view, widened exactly (f64 to float is rounded).
template <typename T>
T get(const View& v, std::int64_t offset) {
  switch (v.dtype) {
    case DType::f32:
      return static_cast<T>(v.as<float>()[offset]);
    case DType::bf16:
      return static_cast<T>(to_f32(v.as<bf16_t>()[offset]));
    case DType::f16:
      return static_cast<T>(to_f32(v.as<f16_t>()[offset]));
    case DType::f64:
      return static_cast<T>(v.as<double>()[offset]);
    default:
      return T{0};
  }
}

/// Stores x at `offset`, rounded once to nearest even.
template <typename T>
void put(const View& v, std::int64_t offset, T x) {
  switch (v.dtype) {
    case DType::f32:
      v.as<float>()[offset] = static_cast<float>(x);
      break;
    case DType::bf16:
      v.as<bf16_t>()[offset] = to_bf16(round_to_odd(x));
      break;
    case DType::f16:
      v.as<f16_t>()[offset] = to_f16(round_to_odd(x));
      break;
    case DType::f64:
      v.as<double>()[offset] = static_cast<double>(x);
      break;
    default:
      break;
  }
}

/// One row of a View.
template <typename T>
struct Row {
  const View& view;
  std::int64_t start;

  Row(const View& v, std::int64_t row) : view(v), start(row * row_stride(v)) {}
  T operator[](std::int64_t i) const { return get<T>(view, start + i); }
  void set(std::int64_t i, T x) const { put(view, start + i, x); }
};

/// Sixteen lanes; lane l takes i = l, l + 16, ... by lane = step(lane, i); then the tree 8, 4, 2, 1
/// by lane[l] = join(lane[l], lane[l + width]).
template <typename T, typename Step, typename Join>
T over_lanes(std::int64_t n, T initial, Step step, Join join) {
  T lanes[16];
  for (T& lane : lanes) lane = initial;
  for (std::int64_t i = 0; i < n; ++i) lanes[i % 16] = step(lanes[i % 16], i);
  for (int width = 8; width >= 1; width /= 2)
    for (int l = 0; l < width; ++l) lanes[l] = join(lanes[l], lanes[l + width]);
  return lanes[0];
}

/// Canonical row sum: step(sum, i) adds element i to its lane.
template <typename T, typename Step>
T lane_sum(std::int64_t n, Step step) {
  return over_lanes<T>(n, T{0}, step, [](T a, T b) { return a + b; });
}

/// Canonical row maximum (the order decides between -0 and +0); NaN where the row holds one.
template <typename T, typename At>
T lane_max(std::int64_t n, At at) {
  return over_lanes<T>(
      n, -infinity<T>(), [&](T m, std::int64_t i) { return larger_of(m, at(i)); },
      [](T a, T b) { return larger_of(a, b); });
}

}  // namespace lathe::kernels::reference
