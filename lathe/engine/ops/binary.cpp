// Elementwise functions of two or three tensors, with broadcasting.
#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

using kernels::Binary;
using kernels::Compare;

void infer_binary(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("elementwise op", in[0]);
  expect_float("elementwise op", in[1]);
  out.push_back({broadcast(in[0].shape(), in[1].shape(), "elementwise op"),
                 promote(in[0].dtype(), in[1].dtype())});
}
void infer_compare(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  out.push_back({broadcast(in[0].shape(), in[1].shape(), "comparison"), DType::boolean});
}
void infer_select(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  if (in[0].dtype() != DType::boolean) bad_shape("select", "a bool condition", in[0]);
  const Shape values = broadcast(in[1].shape(), in[2].shape(), "select");
  out.push_back(
      {broadcast(in[0].shape(), values, "select"), promote(in[1].dtype(), in[2].dtype())});
}

template <Binary kOp>
void cpu_binary(const KernelCall& c) noexcept {
  kernels::binary({c.in[0], c.in[1], c.out[0], kOp});
}
template <Compare kOp>
void cpu_compare(const KernelCall& c) noexcept {
  kernels::compare({c.in[0], c.in[1], c.out[0], kOp});
}
void cpu_select(const KernelCall& c) noexcept {
  kernels::select({c.in[0], c.in[1], c.in[2], c.out[0]});
}

/// Hands on a gradient of the broadcast shape.
void give(GradSink& s, int input, const VjpCall& c, const Tensor& g) {
  s.add(input, sum_to(g, c.in[static_cast<std::size_t>(input)].shape()));
}
Tensor zero_like(const Tensor& t) { return full({}, 0, t.dtype(), t.device()); }

void vjp_add(const VjpCall& c, GradSink& s) {
  if (s.wants(0)) give(s, 0, c, c.grad[0]);
  if (s.wants(1)) give(s, 1, c, c.grad[0]);
}
void vjp_sub(const VjpCall& c, GradSink& s) {
  if (s.wants(0)) give(s, 0, c, c.grad[0]);
  if (s.wants(1)) give(s, 1, c, neg(c.grad[0]));
}
void vjp_mul(const VjpCall& c, GradSink& s) {
  if (s.wants(0)) give(s, 0, c, mul(c.grad[0], c.in[1]));
  if (s.wants(1)) give(s, 1, c, mul(c.grad[0], c.in[0]));
}
void vjp_div(const VjpCall& c, GradSink& s) {  // da = g / b, db = -g (a / b) / b
  if (s.wants(0)) give(s, 0, c, div(c.grad[0], c.in[1]));
  if (s.wants(1)) give(s, 1, c, neg(div(mul(c.grad[0], div(c.in[0], c.in[1])), c.in[1])));
}
/// The larger (smaller) side takes the gradient; the first of equals.
void vjp_extreme(const VjpCall& c, GradSink& s, bool largest) {
  const Tensor second = largest ? less(c.in[0], c.in[1]) : less(c.in[1], c.in[0]);
  const Tensor& g = c.grad[0];
  if (s.wants(0)) give(s, 0, c, select(second, zero_like(g), g));
  if (s.wants(1)) give(s, 1, c, select(second, g, zero_like(g)));
}
void vjp_maximum(const VjpCall& c, GradSink& s) { vjp_extreme(c, s, true); }
void vjp_minimum(const VjpCall& c, GradSink& s) { vjp_extreme(c, s, false); }
void vjp_select(const VjpCall& c, GradSink& s) {
  const Tensor& g = c.grad[0];
  if (s.wants(1)) give(s, 1, c, select(c.in[0], g, zero_like(g)));
  if (s.wants(2)) give(s, 2, c, select(c.in[0], zero_like(g), g));
}

std::vector<Sample> samples_between(double low, double high) {
  std::vector<Sample> samples;
  const auto pair = [&](Shape a, Shape b) {
    samples.push_back({.inputs = {{a, DType::f32}, {b, DType::f32}}, .low = low, .high = high});
  };
  pair({3, 5}, {3, 5});
  pair({2, 3, 17}, {17});
  pair({4, 1}, {1, 6});
  pair({}, {3});
  pair({0, 3}, {3});
  return samples;
}
std::vector<Sample> samples_any() { return samples_between(-2, 2); }
std::vector<Sample> samples_positive() { return samples_between(0.5, 2); }
std::vector<Sample> samples_compare() {
  std::vector<Sample> samples = samples_any();
  for (Sample& s : samples) s.differentiable = 0;
  return samples;
}
std::vector<Sample> samples_select() {
  Sample s{.inputs = {{{3, 4}, DType::boolean}, {{3, 4}, DType::f32}, {{4}, DType::f32}}};
  s.integer_below = 2;
  s.differentiable = 6;
  return {s};
}

}  // namespace

namespace defs {
#define LATHE_BINARY(op, kernel, saved, sampled)           \
  extern const OpDef op{.name = #op,                       \
                        .traits = kElementwise,            \
                        .layout = Layout::any,             \
                        .infer = infer_binary,             \
                        .cpu = cpu_binary<Binary::kernel>, \
                        .vjp = vjp_##op,                   \
                        .saves_inputs = saved,             \
                        .saves_outputs = 0,                \
                        .samples = sampled};
LATHE_BINARY(add, add, 0u, samples_any)
LATHE_BINARY(sub, sub, 0u, samples_any)
LATHE_BINARY(mul, mul, ~0u, samples_any)
LATHE_BINARY(div, div, ~0u, samples_positive)
LATHE_BINARY(maximum, max, ~0u, samples_any)
LATHE_BINARY(minimum, min, ~0u, samples_any)
#undef LATHE_BINARY
extern const OpDef less{.name = "less",
                        .traits = kElementwise,
                        .layout = Layout::any,
                        .infer = infer_compare,
                        .cpu = cpu_compare<Compare::lt>,
                        .samples = samples_compare};
extern const OpDef equal{.name = "equal",
                         .traits = kElementwise,
                         .layout = Layout::any,
                         .infer = infer_compare,
                         .cpu = cpu_compare<Compare::eq>,
                         .samples = samples_compare};
extern const OpDef select{.name = "select",
                          .traits = kElementwise,
                          .layout = Layout::any,
                          .infer = infer_select,
                          .cpu = cpu_select,
                          .vjp = vjp_select,
                          .saves_inputs = 1,
                          .saves_outputs = 0,
                          .samples = samples_select};
}  // namespace defs

#define LATHE_BINARY(op) \
  Tensor op(const Tensor& a, const Tensor& b) { return apply_one(defs::op, std::array{a, b}); }
LATHE_BINARY(add)
LATHE_BINARY(sub)
LATHE_BINARY(mul)
LATHE_BINARY(div)
LATHE_BINARY(maximum)
LATHE_BINARY(minimum)
LATHE_BINARY(less)
LATHE_BINARY(equal)
#undef LATHE_BINARY

Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return apply_one(defs::select, std::array{condition, a, b});
}

}  // namespace lathe::ops
