// How cpu kernels walk views of any strides: dimensions that lie alike in every operand are merged,
// the innermost one is walked sixteen elements at a time. Only kernels/cpu/*.cpp include this file.
#pragma once

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {

/// K operands over one shape, the output's. Dimensions of size 1 are dropped and neighbours merged
/// where every operand allows it; at least one dimension is left. Strides in elements.
template <int K>
struct Nest {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {};
  std::int64_t strides[K][kMaxRank] = {};

  explicit Nest(const View& shape, const View* const (&operands)[K]) {
    for (int d = 0; d < shape.rank; ++d) {
      if (shape.dims[d] == 1) continue;
      std::int64_t own[K];
      for (int k = 0; k < K; ++k)
        own[k] = stride_in(*operands[k], d - (shape.rank - operands[k]->rank));
      append(shape.dims[d], own);
    }
    if (rank == 0) append_one();
  }

  std::int64_t inner() const { return dims[rank - 1]; }
  std::int64_t outer() const {
    std::int64_t n = 1;
    for (int d = 0; d + 1 < rank; ++d) n *= dims[d];
    return n;
  }
  std::int64_t inner_stride(int k) const { return strides[k][rank - 1]; }

  /// Offset of operand k in the outer position `row`.
  std::int64_t offset(int k, std::int64_t row) const {
    std::int64_t offset = 0;
    for (int d = rank - 2; d >= 0; --d) {
      offset += row % dims[d] * strides[k][d];
      row /= dims[d];
    }
    return offset;
  }

 private:
  static std::int64_t stride_in(const View& v, int d) {
    return d < 0 || v.dims[d] == 1 ? 0 : v.strides[d];
  }
  void append(std::int64_t size, const std::int64_t (&own)[K]) {
    bool merges = rank > 0;
    for (int k = 0; k < K && merges; ++k) merges = strides[k][rank - 1] == own[k] * size;
    if (merges) {
      dims[rank - 1] *= size;
    } else {
      dims[rank++] = size;
    }
    for (int k = 0; k < K; ++k) strides[k][rank - 1] = own[k];
  }
  void append_one() {
    dims[0] = 1, rank = 1;
    for (int k = 0; k < K; ++k) strides[k][0] = 1;
  }
};

/// One line of an f32, bf16 or f16 operand with any stride.
struct Line {
  char* data;
  DType dtype;
  std::int64_t stride;

  Line(const View& v, std::int64_t offset, std::int64_t step)
      : data(static_cast<char*>(v.data) + offset * (v.dtype == DType::f32 ? 4 : 2)),
        dtype(v.dtype),
        stride(step) {}

  template <typename N>
  F32x16 at(std::int64_t i, N n) const {
    if (stride != 1) return apart(i, n);
    if (dtype == DType::f32) return load_some(reinterpret_cast<const float*>(data) + i, n);
    if (dtype == DType::bf16) return load_some(reinterpret_cast<const bf16_t*>(data) + i, n);
    return load_half(i, n);
  }
  template <typename N>
  void set(std::int64_t i, F32x16 x, N n) const {
    if (stride != 1) return set_apart(i, x, n);
    if (dtype == DType::f32) return store_some(reinterpret_cast<float*>(data) + i, x, n);
    if (dtype == DType::bf16) return store_some(reinterpret_cast<bf16_t*>(data) + i, x, n);
    store_half(i, x, n);
  }

 private:
  const std::uint16_t* bits() const { return reinterpret_cast<const std::uint16_t*>(data); }
  std::uint16_t* bits() { return reinterpret_cast<std::uint16_t*>(data); }

  F32x16 load_half(std::int64_t i, int n) const {
    alignas(32) std::uint16_t some[16] = {};
    for (int k = 0; k < n; ++k) some[k] = bits()[i + k];
    return widen_f16(n == 16 ? bits() + i : some);
  }
  void store_half(std::int64_t i, F32x16 x, int n) const {
    auto* out = reinterpret_cast<std::uint16_t*>(data) + i;
    if (n == 16) return narrow_f16(out, x);
    alignas(32) std::uint16_t some[16];
    narrow_f16(some, x);
    for (int k = 0; k < n; ++k) out[k] = some[k];
  }
  __attribute__((noinline)) F32x16 apart(std::int64_t i, int n) const {
    if (stride == 0) {
      Line first = *this;
      first.stride = 1;
      alignas(64) float lanes[16];
      store(lanes, first.at(0, 1));
      return splat(lanes[0]);
    }
    if (dtype == DType::f32) {
      alignas(64) float some[16] = {};
      const auto* from = reinterpret_cast<const float*>(data) + i * stride;
      for (int k = 0; k < n; ++k) some[k] = from[k * stride];
      return load(some);
    }
    alignas(32) std::uint16_t some[16] = {};
    const std::uint16_t* from = bits() + i * stride;
    for (int k = 0; k < n; ++k) some[k] = from[k * stride];
    return dtype == DType::f16 ? widen_f16(some) : load(reinterpret_cast<const bf16_t*>(some));
  }
  __attribute__((noinline)) void set_apart(std::int64_t i, F32x16 x, int n) const {
    if (dtype == DType::f32) {
      alignas(64) float some[16];
      store(some, x);
      auto* out = reinterpret_cast<float*>(data) + i * stride;
      for (int k = 0; k < n; ++k) out[k * stride] = some[k];
      return;
    }
    alignas(32) std::uint16_t some[16];
    dtype == DType::f16 ? narrow_f16(some, x) : narrow(reinterpret_cast<bf16_t*>(some), x);
    auto* out = reinterpret_cast<std::uint16_t*>(data) + i * stride;
    for (int k = 0; k < n; ++k) out[k * stride] = some[k];
  }
};

/// Types that Line reads.
inline bool has_lanes(const View& v) {
  return v.dtype == DType::f32 || v.dtype == DType::bf16 || v.dtype == DType::f16;
}

}  // namespace lathe::kernels::LATHE_ISA
