// Reductions: over an axis, over everything, and sums that go on from a stored value.
#include "lathe/engine/kernels/reduce.h"

#include <algorithm>
#include <limits>

#include "lathe/engine/kernels/statistics.h"
#include "lathe/engine/ops/attr_types.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

using kernels::Reduce;

// --- sum and max over one axis: the kernel sees the axis as size 1 -----------------------------

Shape reduced(const Tensor& x, const AxisAttrs& a) {
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != a.axis) {
      shape.push_back(x.dim(i));
    } else if (a.keep) {
      shape.push_back(1);
    }
  }
  return shape;
}

void infer_reduce(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  expect_float("reduction", in[0]);
  const auto& a = attrs.as<AxisAttrs>();
  if (a.axis < 0 || a.axis >= in[0].rank())
    fail(ErrorCode::kInvalidArgument, "reduction: there is no axis {} in {}", a.axis,
         to_string(in[0].shape()));
  out.push_back({reduced(in[0], a), in[0].dtype()});
}

/// The output with the reduced axis kept as size 1.
View with_axis(const View& out, const View& x, const AxisAttrs& a) {
  if (a.keep) return out;
  View v = out;
  v.rank = x.rank;
  for (int i = 0, k = 0; i < x.rank; ++i) {
    v.dims[i] = i == a.axis ? 1 : out.dims[k];
    v.strides[i] = i == a.axis ? 0 : out.strides[k];
    k += i != a.axis;
  }
  return v;
}

template <Reduce kOp>
void cpu_reduce(const KernelCall& c) noexcept {
  kernels::reduce({c.in[0], with_axis(c.out[0], c.in[0], c.attrs->as<AxisAttrs>()), kOp});
}

Tensor kept(const Tensor& y, const Tensor& x, const AxisAttrs& a) {
  if (a.keep) return y;
  Shape shape = x.shape();
  shape[a.axis] = 1;
  return reshape(y, shape);
}

void vjp_sum(const VjpCall& c, GradSink& s) {
  const auto& a = c.attrs.as<AxisAttrs>();
  s.add(0, contiguous(broadcast_to(kept(c.grad[0], c.in[0], a), c.in[0].shape())));
}

/// Every element that equals the maximum gets an equal share.
void vjp_max(const VjpCall& c, GradSink& s) {
  const auto& a = c.attrs.as<AxisAttrs>();
  const Tensor& x = c.in[0];
  const Tensor hit = equal(x, kept(c.out[0], x, a));
  const Tensor zero = full({}, 0, x.dtype(), x.device()), unit = full({}, 1, x.dtype(), x.device());
  const Tensor ones = select(hit, unit, zero);
  const Tensor share = div(kept(c.grad[0], x, a), sum(ones, a.axis, true));
  s.add(0, mul(ones, share));
}

std::vector<Sample> samples_reduce() {
  std::vector<Sample> samples;
  const auto add_case = [&](Shape x, int axis, bool keep) {
    samples.push_back({.inputs = {{x, DType::f32}}, .attrs = AxisAttrs{axis, keep}});
  };
  add_case({3, 5}, 1, false);
  add_case({3, 5}, 0, true);
  add_case({2, 3, 33}, 2, true);
  add_case({4, 1, 7}, 1, false);
  add_case({1}, 0, false);
  return samples;
}
std::vector<Sample> samples_sum() {
  std::vector<Sample> samples = samples_reduce();
  samples.push_back({.inputs = {{{3, 0}, DType::f32}}, .attrs = AxisAttrs{1, false}});
  return samples;
}

// --- statistics
// -----------------------------------------------------------------------------------

void infer_argmax(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  if (in[0].rank() < 1) bad_shape("argmax", "at least one axis", in[0]);
  Shape shape;
  for (int i = 0; i + 1 < in[0].rank(); ++i) shape.push_back(in[0].dim(i));
  out.push_back({shape, DType::i32});
}
void cpu_argmax(const KernelCall& c) noexcept {
  View index = c.out[0];
  index.rank = 1;
  index.dims[0] = c.out[0].count();
  index.strides[0] = 1;
  kernels::argmax({as_rows(c.in[0]), index});
}
std::vector<Sample> samples_argmax() {
  return {{.inputs = {{{4, 9}, DType::f32}}, .differentiable = 0},
          {.inputs = {{{1}, DType::f32}}, .differentiable = 0}};
}

void infer_f64(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("sum_of_squares", in[0]);
  out.push_back({{}, DType::f64});
}
void cpu_sum_of_squares(const KernelCall& c) noexcept {
  kernels::sum_of_squares({c.in[0], c.out[0].as<double>()});
}
Outputs composite_sum_of_squares(Inputs in, const Attrs&) {
  Outputs out;
  out.push_back(cast(sum_all(square(in[0])), DType::f64));
  return out;
}
std::vector<Sample> samples_whole() {
  return {{.inputs = {{{3, 17}, DType::f32}}},
          {.inputs = {{{0}, DType::f32}}},
          {.inputs = {{{2, 5000}, DType::f32}}}};
}

void infer_count(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("count_nonfinite", in[0]);
  out.push_back({{}, DType::i32});
}
void cpu_count(const KernelCall& c) noexcept {
  std::int64_t n = 0;
  kernels::count_nonfinite({c.in[0], &n});
  *c.out[0].as<std::int32_t>() = static_cast<std::int32_t>(
      std::min<std::int64_t>(n, std::numeric_limits<std::int32_t>::max()));
}

// --- sum_to_acc_(acc [C], x [N,C])
// -----------------------------------------------------------------

void infer_sum_to_acc(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  if (in[1].rank() != 2) bad_shape("sum_to_acc_", "x [N,C]", in[1]);
  expect_shape("sum_to_acc_", "accumulator", in[0], {in[1].dim(1)});
}
void cpu_sum_to_acc(const KernelCall& c) noexcept {
  kernels::reduce({c.in[1], c.in[0], Reduce::sum, true});
}
std::vector<Sample> samples_sum_to_acc() {
  return {{.inputs = {{{5}, DType::f32}, {{7, 5}, DType::f32}}},
          {.inputs = {{{1}, DType::f32}, {{0, 1}, DType::f32}}}};
}

int checked_axis(const Tensor& x, int axis) {
  const int positive = axis < 0 ? axis + x.rank() : axis;
  if (positive < 0 || positive >= x.rank())
    fail(ErrorCode::kInvalidArgument, "reduction: there is no axis {} in {}", axis,
         to_string(x.shape()));
  return positive;
}

}  // namespace

namespace defs {
extern const OpDef sum{.name = "sum",
                       .traits = kReduction,
                       .layout = Layout::any,
                       .infer = infer_reduce,
                       .cpu = cpu_reduce<Reduce::sum>,
                       .vjp = vjp_sum,
                       .saves_inputs = 0,
                       .saves_outputs = 0,
                       .samples = samples_sum};
extern const OpDef max{.name = "max",
                       .traits = kReduction,
                       .layout = Layout::any,
                       .infer = infer_reduce,
                       .cpu = cpu_reduce<Reduce::max>,
                       .vjp = vjp_max,
                       .samples = samples_reduce};
extern const OpDef argmax{.name = "argmax",
                          .traits = kReduction,
                          .infer = infer_argmax,
                          .cpu = cpu_argmax,
                          .samples = samples_argmax};
extern const OpDef sum_of_squares{.name = "sum_of_squares",
                                  .traits = kReduction,
                                  .infer = infer_f64,
                                  .cpu = cpu_sum_of_squares,
                                  .composite = composite_sum_of_squares,
                                  .samples = samples_whole};
extern const OpDef count_nonfinite{.name = "count_nonfinite",
                                   .traits = kReduction,
                                   .infer = infer_count,
                                   .cpu = cpu_count,
                                   .samples = samples_whole};
extern const OpDef sum_to_acc_{.name = "sum_to_acc_",
                               .traits = kInPlace | kReduction,
                               .writes = 1,
                               .infer = infer_sum_to_acc,
                               .cpu = cpu_sum_to_acc,
                               .samples = samples_sum_to_acc};
}  // namespace defs

Tensor sum(const Tensor& x, int axis, bool keep) {
  return apply_one(defs::sum, std::array{x}, AxisAttrs{checked_axis(x, axis), keep});
}

Tensor mean(const Tensor& x, int axis, bool keep) {
  return scale(sum(x, axis, keep), 1.0 / static_cast<double>(x.dim(checked_axis(x, axis))));
}

Tensor max(const Tensor& x, int axis, bool keep) {
  return apply_one(defs::max, std::array{x}, AxisAttrs{checked_axis(x, axis), keep});
}

Tensor sum_all(const Tensor& x) {
  Tensor y = x;
  while (y.rank() > 0) y = sum(y, -1);
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  Tensor y = x;
  while (y.rank() > shape.rank()) y = sum(y, 0);
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] == 1 && y.dim(i) != 1) y = sum(y, i, true);
  return y;
}

Tensor argmax(const Tensor& x) { return apply_one(defs::argmax, std::array{x}); }
Tensor sum_of_squares(const Tensor& x) { return apply_one(defs::sum_of_squares, std::array{x}); }
Tensor count_nonfinite(const Tensor& x) { return apply_one(defs::count_nonfinite, std::array{x}); }

void sum_to_acc_(const Tensor& acc, const Tensor& x) {
  ops::apply(defs::sum_to_acc_, std::array{acc, x});
}

}  // namespace lathe::ops
