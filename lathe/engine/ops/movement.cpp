// Copies: contiguous, concat, and writes in place.
#include "lathe/engine/kernels/movement.h"

#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/ops/attr_types.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

// --- contiguous
// -----------------------------------------------------------------------------------

void infer_contiguous(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  out.push_back({in[0].shape(), in[0].dtype()});
}
void cpu_contiguous(const KernelCall& c) noexcept { kernels::copy({c.in[0], c.out[0]}); }
void vjp_contiguous(const VjpCall& c, GradSink& s) { s.add(0, c.grad[0]); }
std::vector<Sample> samples_contiguous() { return {{.inputs = {{{3, 4, 5}, DType::f32}}}}; }

// --- concat
// ---------------------------------------------------------------------------------------

void infer_concat(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  const int axis = attrs.as<AxisAttrs>().axis;
  Shape shape = in[0].shape();
  shape[axis] = 0;
  for (const Tensor& t : in) {
    Shape other = t.shape();
    if (other.rank() != shape.rank() || t.dtype() != in[0].dtype())
      bad_shape("concat", "equal ranks and types", t);
    shape[axis] += other[axis];
    other[axis] = in[0].dim(axis);
    expect_shape("concat", "other axes", in[0], other);
  }
  out.push_back({shape, in[0].dtype()});
}

void cpu_concat(const KernelCall& c) noexcept {
  const int axis = c.attrs->as<AxisAttrs>().axis;
  std::int64_t begin = 0;
  for (const View& x : c.in) {
    if (x.empty() && x.rank == 0) break;
    View part = c.out[0];
    part.dims[axis] = x.dims[axis];
    part.data = static_cast<char*>(part.data) +
                begin * part.strides[axis] * static_cast<std::int64_t>(size_of(part.dtype));
    begin += x.dims[axis];
    if (x.count() > 0) kernels::copy({x, part});
  }
}

void vjp_concat(const VjpCall& c, GradSink& s) {
  const int axis = c.attrs.as<AxisAttrs>().axis;
  std::int64_t begin = 0;
  for (int i = 0; i < static_cast<int>(c.in.size()); ++i) {
    const std::int64_t end = begin + c.in[static_cast<std::size_t>(i)].dim(axis);
    if (s.wants(i)) s.add(i, contiguous(slice(c.grad[0], axis, begin, end)));
    begin = end;
  }
}

std::vector<Sample> samples_concat() {
  return {{.inputs = {{{2, 3}, DType::f32}, {{2, 5}, DType::f32}}, .attrs = AxisAttrs{1, false}},
          {.inputs = {{{1, 3}, DType::f32}, {{2, 3}, DType::f32}, {{1, 3}, DType::f32}},
           .attrs = AxisAttrs{0, false}}};
}

// --- in place
// -------------------------------------------------------------------------------------

void infer_none(Inputs, const Attrs&, std::vector<TensorSpec>&) {}
void infer_equal_shapes(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  expect_shape("in-place op", "source", in[1], in[0].shape());
}

void cpu_fill(const KernelCall& c) noexcept {
  kernels::fill({c.in[0], c.attrs->as<FactorAttrs>().factor});
}
void cpu_copy(const KernelCall& c) noexcept { kernels::cast({c.in[1], c.in[0]}); }
void cpu_scale(const KernelCall& c) noexcept {
  kernels::scale({c.in[0], c.in[0], c.attrs->as<FactorAttrs>().factor});
}
void cpu_add_acc(const KernelCall& c) noexcept {
  kernels::binary({c.in[0], c.in[1], c.in[0], kernels::Binary::add});
}

std::vector<Sample> samples_one() {
  return {{.inputs = {{{3, 17}, DType::f32}}, .attrs = FactorAttrs{0.25}}};
}
std::vector<Sample> samples_two() {
  return {{.inputs = {{{3, 17}, DType::f32}, {{3, 17}, DType::f32}}},
          {.inputs = {{{0}, DType::f32}, {{0}, DType::f32}}}};
}

}  // namespace

namespace defs {
extern const OpDef contiguous{.name = "contiguous",
                              .layout = Layout::any,
                              .infer = infer_contiguous,
                              .cpu = cpu_contiguous,
                              .vjp = vjp_contiguous,
                              .saves_inputs = 0,
                              .saves_outputs = 0,
                              .samples = samples_contiguous};
extern const OpDef concat{.name = "concat",
                          .layout = Layout::any,
                          .infer = infer_concat,
                          .cpu = cpu_concat,
                          .vjp = vjp_concat,
                          .saves_inputs = 0,
                          .saves_outputs = 0,
                          .samples = samples_concat};
extern const OpDef fill_{.name = "fill_",
                         .traits = kInPlace | kOverwrites | kElementwise,
                         .writes = 1,
                         .layout = Layout::any,
                         .infer = infer_none,
                         .cpu = cpu_fill,
                         .samples = samples_one};
extern const OpDef copy_{.name = "copy_",
                         .traits = kInPlace | kOverwrites | kElementwise,
                         .writes = 1,
                         .layout = Layout::any,
                         .infer = infer_equal_shapes,
                         .cpu = cpu_copy,
                         .samples = samples_two};
extern const OpDef scale_{.name = "scale_",
                          .traits = kInPlace | kElementwise,
                          .writes = 1,
                          .layout = Layout::any,
                          .infer = infer_none,
                          .cpu = cpu_scale,
                          .samples = samples_one};
extern const OpDef add_acc_{.name = "add_acc_",
                            .traits = kInPlace | kElementwise,
                            .writes = 1,
                            .layout = Layout::any,
                            .infer = infer_equal_shapes,
                            .cpu = cpu_add_acc,
                            .samples = samples_two};
}  // namespace defs

Tensor contiguous(const Tensor& x) {
  if (x.contiguous()) return x;
  return apply_one(defs::contiguous, std::array{x});
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty() || parts.size() > kMaxInputs)
    fail(ErrorCode::kInvalidArgument, "concat: expected 1 to {} tensors, got {}", kMaxInputs,
         parts.size());
  if (axis < 0) axis += parts[0].rank();
  return apply_one(defs::concat, parts, AxisAttrs{axis, false});
}

Tensor full(const Shape& shape, double value, DType dtype, Device device) {
  const Tensor t = Tensor::empty(shape, dtype, device);
  fill_(t, value);
  return t;
}

void fill_(const Tensor& x, double value) {
  ops::apply(defs::fill_, std::array{x}, FactorAttrs{value});
}
void copy_(const Tensor& to, const Tensor& from) { ops::apply(defs::copy_, std::array{to, from}); }
void scale_(const Tensor& x, double factor) {
  ops::apply(defs::scale_, std::array{x}, FactorAttrs{factor});
}
void add_acc_(const Tensor& acc, const Tensor& x) {
  ops::apply(defs::add_acc_, std::array{acc, x});
}

}  // namespace lathe::ops
