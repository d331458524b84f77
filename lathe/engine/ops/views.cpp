// Ops that move no data: the output is another handle on the same memory.
#include <array>

#include "lathe/engine/ops/attr_types.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct SliceAttrs {
  int axis = 0;
  std::int64_t begin = 0, end = 0;
  void fields(Fields& f) {
    f("axis", axis);
    f("begin", begin);
    f("end", end);
  }
};

Shape shape_of(const DimsAttrs& a) {
  return Shape(std::span<const std::int64_t>(a.dims, static_cast<std::size_t>(a.rank)));
}
DimsAttrs dims_of(const Shape& shape) {
  DimsAttrs a;
  for (const std::int64_t d : shape) a.dims[a.rank++] = d;
  return a;
}

Tensor view_reshape(const Tensor& x, const Attrs& attrs) {
  Shape shape;
  std::array<std::int64_t, kMaxRank> strides{};
  const auto& a = attrs.as<DimsAttrs>();
  for (int i = 0; i < a.rank; ++i) shape.push_back(a.dims[i]);
  std::int64_t step = 1;
  for (int i = a.rank - 1; i >= 0; --i) {
    strides[static_cast<std::size_t>(i)] = step;
    step *= shape[i];
  }
  return x.alias(shape, strides, 0);
}

Tensor view_permute(const Tensor& x, const Attrs& attrs) {
  const auto& a = attrs.as<DimsAttrs>();
  Shape shape;
  std::array<std::int64_t, kMaxRank> strides{};
  for (int i = 0; i < a.rank; ++i) {
    shape.push_back(x.dim(static_cast<int>(a.dims[i])));
    strides[static_cast<std::size_t>(i)] = x.stride(static_cast<int>(a.dims[i]));
  }
  return x.alias(shape, strides, 0);
}

Tensor view_slice(const Tensor& x, const Attrs& attrs) {
  const auto& a = attrs.as<SliceAttrs>();
  Shape shape = x.shape();
  std::array<std::int64_t, kMaxRank> strides{};
  for (int i = 0; i < x.rank(); ++i) strides[static_cast<std::size_t>(i)] = x.stride(i);
  shape[a.axis] = a.end - a.begin;
  return x.alias(shape, strides, a.begin * x.stride(a.axis));
}

Tensor view_broadcast(const Tensor& x, const Attrs& attrs) {
  const Shape shape = shape_of(attrs.as<DimsAttrs>());
  std::array<std::int64_t, kMaxRank> strides{};
  const int lead = shape.rank() - x.rank();
  for (int i = lead; i < shape.rank(); ++i)
    strides[static_cast<std::size_t>(i)] = x.dim(i - lead) == 1 ? 0 : x.stride(i - lead);
  return x.alias(shape, strides, 0);
}

Tensor permute_by(const Tensor& x, const DimsAttrs& order);

void vjp_reshape(const VjpCall& c, GradSink& sink) {
  sink.add(0, reshape(contiguous(c.grad[0]), c.in[0].shape()));
}

void vjp_permute(const VjpCall& c, GradSink& sink) {
  const auto& a = c.attrs.as<DimsAttrs>();
  DimsAttrs inverse;
  inverse.rank = a.rank;
  for (int i = 0; i < a.rank; ++i) inverse.dims[a.dims[i]] = i;
  sink.add(0, permute_by(c.grad[0], inverse));
}

/// Zeros before and after the slice.
void vjp_slice(const VjpCall& c, GradSink& sink) {
  const auto& a = c.attrs.as<SliceAttrs>();
  const Tensor& g = c.grad[0];
  const std::int64_t size = c.in[0].dim(a.axis);
  std::vector<Tensor> parts;
  const auto pad = [&](std::int64_t width) {
    if (width == 0) return;
    Shape shape = g.shape();
    shape[a.axis] = width;
    parts.push_back(full(shape, 0, g.dtype(), g.device()));
  };
  pad(a.begin);
  parts.push_back(g);
  pad(size - a.end);
  sink.add(0, parts.size() == 1 ? g : concat(parts, a.axis));
}

void vjp_broadcast(const VjpCall& c, GradSink& sink) {
  sink.add(0, sum_to(c.grad[0], c.in[0].shape()));
}

std::vector<Sample> samples_reshape() {
  return {{.inputs = {{{2, 3, 4}, DType::f32}}, .attrs = dims_of({6, 4})},
          {.inputs = {{{0, 3}, DType::f32}}, .attrs = dims_of({3, 0})}};
}
std::vector<Sample> samples_permute() {
  return {{.inputs = {{{2, 3, 5}, DType::f32}}, .attrs = DimsAttrs{{2, 0, 1}, 3}},
          {.inputs = {{{1, 4}, DType::f32}}, .attrs = DimsAttrs{{1, 0}, 2}}};
}
std::vector<Sample> samples_slice() {
  return {{.inputs = {{{4, 5}, DType::f32}}, .attrs = SliceAttrs{1, 1, 4}},
          {.inputs = {{{4, 5}, DType::f32}}, .attrs = SliceAttrs{0, 2, 2}}};
}
std::vector<Sample> samples_broadcast() {
  return {{.inputs = {{{3, 1}, DType::f32}}, .attrs = dims_of({2, 3, 4})}};
}

}  // namespace

namespace defs {
extern const OpDef reshape{.name = "reshape",
                           .traits = kView,
                           .view = view_reshape,
                           .vjp = vjp_reshape,
                           .saves_inputs = 0,
                           .saves_outputs = 0,
                           .samples = samples_reshape};
extern const OpDef permute{.name = "permute",
                           .traits = kView,
                           .view = view_permute,
                           .vjp = vjp_permute,
                           .saves_inputs = 0,
                           .saves_outputs = 0,
                           .samples = samples_permute};
extern const OpDef slice{.name = "slice",
                         .traits = kView,
                         .view = view_slice,
                         .vjp = vjp_slice,
                         .saves_inputs = 0,
                         .saves_outputs = 0,
                         .samples = samples_slice};
extern const OpDef broadcast_to{.name = "broadcast_to",
                                .traits = kView,
                                .view = view_broadcast,
                                .vjp = vjp_broadcast,
                                .saves_inputs = 0,
                                .saves_outputs = 0,
                                .samples = samples_broadcast};
}  // namespace defs

Tensor reshape(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape && x.contiguous()) return x;
  if (x.count() != shape.count())
    fail(ErrorCode::kShapeMismatch, "reshape: {} has {} elements, {} has {}", to_string(x.shape()),
         x.count(), to_string(shape), shape.count());
  return apply_one(defs::reshape, std::array{contiguous(x)}, dims_of(shape));
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> dims) {
  std::int64_t known = 1;
  int rest = 0;
  for (const std::int64_t d : dims)
    d == -1 ? static_cast<void>(++rest) : static_cast<void>(known *= d);
  if (rest > 1 || (rest == 1 && (known == 0 || x.count() % known != 0)))
    fail(ErrorCode::kShapeMismatch, "reshape: {} does not divide into the wanted shape",
         to_string(x.shape()));
  Shape shape;
  for (const std::int64_t d : dims) shape.push_back(d == -1 ? x.count() / known : d);
  return reshape(x, shape);
}

namespace {
Tensor permute_by(const Tensor& x, const DimsAttrs& order) {
  return apply_one(defs::permute, std::array{x}, order);
}
}  // namespace

Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  DimsAttrs a;
  unsigned seen = 0;
  for (const int axis : order) {
    if (axis >= 0 && axis < x.rank()) seen |= 1u << axis;
    if (a.rank < kMaxRank) a.dims[a.rank++] = axis;
  }
  if (static_cast<int>(order.size()) != x.rank() || seen + 1 != 1u << x.rank())
    fail(ErrorCode::kInvalidArgument, "permute: expected every axis of {} once",
         to_string(x.shape()));
  return permute_by(x, a);
}

Tensor transpose(const Tensor& x) {
  if (x.rank() < 2)
    fail(ErrorCode::kShapeMismatch, "transpose: expected two axes or more, got {}",
         to_string(x.shape()));
  DimsAttrs a;
  a.rank = x.rank();
  for (int i = 0; i < a.rank; ++i) a.dims[i] = i;
  std::swap(a.dims[a.rank - 1], a.dims[a.rank - 2]);
  return permute_by(x, a);
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  if (axis < 0) axis += x.rank();
  if (axis < 0 || axis >= x.rank() || begin < 0 || end < begin || end > x.dim(axis))
    fail(ErrorCode::kInvalidArgument, "slice: [{}, {}) of axis {} lies outside {}", begin, end,
         axis, to_string(x.shape()));
  if (begin == 0 && end == x.dim(axis)) return x;
  return apply_one(defs::slice, std::array{x}, SliceAttrs{axis, begin, end});
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (broadcast(x.shape(), shape, "broadcast_to") != shape)
    fail(ErrorCode::kShapeMismatch, "broadcast_to: {} does not broadcast to {}",
         to_string(x.shape()), to_string(shape));
  return apply_one(defs::broadcast_to, std::array{x}, dims_of(shape));
}

}  // namespace lathe::ops
