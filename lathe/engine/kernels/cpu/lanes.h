// How the cpu row kernels read, write and add: views sixteen elements at a time as f32, whatever
// they are stored in. Only kernels/cpu/*.cpp include this file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/vec.h"
#include "lathe/engine/kernels/rows.h"

namespace lathe::kernels::LATHE_ISA {

// The scalar overloads of math.h beside the vector ones of vec.h, which would hide them.
using kernels::abs;
using kernels::fma;
using kernels::larger_of;
using kernels::max;
using kernels::min;
using kernels::sqrt;

/// Sixteen lanes, known while compiling: the body of each16 sees this or an int below sixteen.
using Full = std::integral_constant<int, 16>;

/// body(i, n) for i = 0, 16, ...; n is Full{} except for a shorter last piece.
template <typename Body>
inline void each16(std::int64_t count, Body&& body) {
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) body(i, Full{});
  if (i < count) body(i, static_cast<int>(count - i));
}

template <typename T, typename N>
inline F32x16 load_some(const T* p, N n) {
  if constexpr (std::is_same_v<N, Full>) {
    return load(p);
  } else {
    return load_first(p, n);
  }
}
template <typename T, typename N>
inline void store_some(T* p, F32x16 x, N n) {
  if constexpr (std::is_same_v<N, Full>) {
    store(p, x);
  } else {
    store_first(p, x, n);
  }
}

/// An f32 or bf16 row: at(i, n) widens n elements from i on; set(i, x, n) rounds once. The branch
/// on the type is taken once per sixteen elements and predicted; memory is what limits these loops.
struct Row {
  char* data;
  bool half;

  explicit Row(const View& v, std::int64_t row = 0)
      : data(static_cast<char*>(v.data)), half(v.dtype == DType::bf16) {
    data += row * row_stride(v) * (half ? 2 : 4);
  }
  bool present() const { return data != nullptr; }

  template <typename N>
  F32x16 at(std::int64_t i, N n) const {
    if (half) return load_some(reinterpret_cast<const bf16_t*>(data) + i, n);
    return load_some(reinterpret_cast<const float*>(data) + i, n);
  }
  template <typename N>
  void set(std::int64_t i, F32x16 x, N n) const {
    if (half) return store_some(reinterpret_cast<bf16_t*>(data) + i, x, n);
    store_some(reinterpret_cast<float*>(data) + i, x, n);
  }
  float one(std::int64_t i) const {
    return half ? to_f32(reinterpret_cast<const bf16_t*>(data)[i])
                : reinterpret_cast<const float*>(data)[i];
  }
  void set_one(std::int64_t i, float x) const {
    if (half) {
      reinterpret_cast<bf16_t*>(data)[i] = to_bf16(x);
    } else {
      reinterpret_cast<float*>(data)[i] = x;
    }
  }
};

/// body(row, begin, end) for pieces of rows, of kElementGrain elements or a row, on all threads.
template <typename Body>
inline void parallel_pieces(std::int64_t rows, std::int64_t columns, Body&& body) {
  const std::int64_t pieces = (columns + kElementGrain - 1) / kElementGrain;
  const std::int64_t grain = pieces > 1 ? 1 : row_grain(columns);
  parallel_for(rows * pieces, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t k = first; k < last; ++k) {
      const std::int64_t begin = k % pieces * kElementGrain;
      body(k / pieces, begin, std::min(columns, begin + kElementGrain));
    }
  });
}

/// body(first, last, i, n) for eight rows at a time and, inside, sixteen columns at a time: column
/// chains that go on from memory, while the rows are read in the order they lie in.
template <typename Body>
inline void column_blocks(std::int64_t rows, std::int64_t columns, Body&& body) {
  for (std::int64_t r = 0; r < rows; r += 8) {
    const std::int64_t last = std::min(rows, r + 8);
    each16(columns, [&](std::int64_t i, auto n) { body(r, last, i, n); });
  }
}

/// `next` in the lanes that exist, `lanes` in those past the end of the row: a lane that receives
/// nothing keeps even the sign of its zero.
template <typename N>
inline F32x16 advance(F32x16 lanes, F32x16 next, N n) {
  if constexpr (std::is_same_v<N, Full>) {
    return next;
  } else {
    return blend_first(next, lanes, n);
  }
}

/// Canonical row sum: step(lanes, i, n) adds elements i to i + n - 1 to the lanes.
template <typename Step>
inline float lane_sum(std::int64_t count, Step&& step) {
  F32x16 lanes = zero();
  each16(count, [&](std::int64_t i, auto n) { lanes = advance(lanes, step(lanes, i, n), n); });
  return add_lanes(lanes);
}

/// b where it is larger or NaN, else a; and likewise smaller.
inline F32x16 larger_of(F32x16 a, F32x16 b) { return select_nan(b, b, max(b, a)); }
inline F32x16 smaller_of(F32x16 a, F32x16 b) { return select_nan(b, b, min(b, a)); }

/// Lanes joined by larger_of() in the fixed tree 8, 4, 2, 1.
inline float largest_lane(F32x16 x) {
  alignas(64) float lanes[16];
  store(lanes, x);
  for (int width = 8; width >= 1; width /= 2)
    for (int l = 0; l < width; ++l) lanes[l] = larger_of(lanes[l], lanes[l + width]);
  return lanes[0];
}

/// Canonical row maximum of at(i, n); NaN where the row holds one.
template <typename At>
inline float lane_max(std::int64_t count, At&& at) {
  F32x16 lanes = splat(-std::numeric_limits<float>::infinity());
  each16(count,
         [&](std::int64_t i, auto n) { lanes = advance(lanes, larger_of(lanes, at(i, n)), n); });
  return largest_lane(lanes);
}

}  // namespace lathe::kernels::LATHE_ISA
