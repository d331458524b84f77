// Checks that shape rules share.
#pragma once

#include "lathe/engine/ops/op.h"

namespace lathe::ops {

/// Throws ShapeMismatch: "subject: expected what, got f32 [2,3]".
[[noreturn]] inline void bad_shape(const char* subject, const char* expected, const Tensor& got) {
  fail(ErrorCode::kShapeMismatch, "{}: expected {}, got {}", subject, expected,
       got.defined() ? describe(got) : "no tensor");
}

inline void expect_float(const char* subject, const Tensor& t) {
  if (!t.defined() || !is_float(t.dtype())) bad_shape(subject, "a float tensor", t);
}

inline void expect_i32(const char* subject, const Tensor& t) {
  if (!t.defined() || t.dtype() != DType::i32) bad_shape(subject, "an i32 tensor", t);
}

inline void expect_shape(const char* subject, const char* what, const Tensor& t,
                         const Shape& shape) {
  if (t.shape() != shape)
    fail(ErrorCode::kShapeMismatch, "{}: {}: expected {}, got {}", subject, what, to_string(shape),
         describe(t));
}

/// Throws where an id lies outside [0, limit): a kernel must not find out.
inline void check_ids(const char* subject, const Tensor& ids, std::int64_t limit) {
  if (!ids.has_data() || !ids.contiguous()) return;
  const auto* p = ids.data<std::int32_t>();
  for (std::int64_t i = 0; i < ids.count(); ++i)
    if (p[i] < 0 || p[i] >= limit)
      fail(ErrorCode::kInvalidArgument, "{}: index {} at place {} lies outside [0, {})", subject,
           p[i], i, limit);
}

inline double sum_of_bytes(Inputs tensors) {
  double sum = 0;
  for (const Tensor& t : tensors)
    if (t.defined()) sum += static_cast<double>(t.bytes());
  return sum;
}

/// Bytes of a call that reads only the rows of table in[0] that its ids name.
inline double bytes_of_rows(Inputs in, Inputs out, const Attrs&) {
  const double row = sum_of_bytes(in.first(1)) / static_cast<double>(in[0].dim(0));
  return sum_of_bytes(in.subspan(1)) + sum_of_bytes(out) + row * static_cast<double>(in[1].count());
}

/// All elements of a dense view in one row.
inline View as_vector(const View& v) {
  View flat = v;
  flat.rank = 1;
  flat.dims[0] = v.count();
  flat.strides[0] = 1;
  return flat;
}

/// All rows of the last axis: [...,C] -> [N,C] as a view for row kernels. Matrices keep the
/// distance of their rows; all else is dense.
inline View as_rows(const View& v) {
  View rows;
  rows.data = v.data;
  rows.dtype = v.dtype;
  rows.rank = 2;
  rows.dims[1] = v.rank == 0 ? 1 : v.dims[v.rank - 1];
  rows.dims[0] = 1;
  for (int i = 0; i + 1 < v.rank; ++i) rows.dims[0] *= v.dims[i];
  rows.strides[0] = v.rank == 2 ? v.strides[0] : rows.dims[1];
  rows.strides[1] = 1;
  return rows;
}

/// Inference computes in f32 on weights that stay bf16 in their file; products widen them.
inline bool mixes(const Tensor& x, const Tensor& weight) {
  return x.dtype() == DType::f32 && weight.dtype() == DType::bf16;
}

/// The type of a mixed result: f64 over f32 over bf16.
inline DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a == DType::f64 || b == DType::f64) return DType::f64;
  return DType::f32;
}

/// f32 beside f32 and bf16, f64 beside f64: the type of statistics and accumulators.
inline DType wide(DType t) { return t == DType::f64 ? DType::f64 : DType::f32; }

}  // namespace lathe::ops
