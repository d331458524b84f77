// Elementwise functions of one tensor. Gradients are written in primitive ops, so they have
// gradients themselves.
#include <cmath>
#include <numbers>

#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/kernels/movement.h"
#include "lathe/engine/ops/attr_types.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

using kernels::Unary;

void infer_float(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("elementwise op", in[0]);
  out.push_back({in[0].shape(), in[0].dtype()});
}

template <Unary kOp>
void cpu_unary(const KernelCall& c) noexcept {
  kernels::unary({c.in[0], c.out[0], kOp});
}

Tensor constant(const Tensor& like, double value) {
  return full({}, value, like.dtype(), like.device());
}

void vjp_neg(const VjpCall& c, GradSink& s) { s.add(0, neg(c.grad[0])); }
void vjp_exp(const VjpCall& c, GradSink& s) { s.add(0, mul(c.grad[0], c.out[0])); }
void vjp_log(const VjpCall& c, GradSink& s) { s.add(0, div(c.grad[0], c.in[0])); }
void vjp_sqrt(const VjpCall& c, GradSink& s) {  // dy / (2 y)
  s.add(0, div(scale(c.grad[0], 0.5), c.out[0]));
}
void vjp_rsqrt(const VjpCall& c, GradSink& s) {  // -dy y^3 / 2
  s.add(0, mul(scale(c.grad[0], -0.5), mul(square(c.out[0]), c.out[0])));
}
void vjp_tanh(const VjpCall& c, GradSink& s) {
  s.add(0, mul(c.grad[0], sub(constant(c.out[0], 1), square(c.out[0]))));
}
void vjp_erf(const VjpCall& c, GradSink& s) {  // dy 2/sqrt(pi) e^(-x^2)
  const Tensor bell = exp(neg(square(c.in[0])));
  s.add(0, mul(c.grad[0], scale(bell, 2.0 / std::sqrt(std::numbers::pi))));
}
void vjp_sigmoid(const VjpCall& c, GradSink& s) {  // dy y (1 - y)
  s.add(0, mul(c.grad[0], mul(c.out[0], sub(constant(c.out[0], 1), c.out[0]))));
}
void vjp_square(const VjpCall& c, GradSink& s) { s.add(0, mul(scale(c.grad[0], 2), c.in[0])); }
void vjp_abs(const VjpCall& c, GradSink& s) {
  const Tensor negative = less(c.in[0], constant(c.in[0], 0));
  s.add(0, select(negative, neg(c.grad[0]), c.grad[0]));
}
void vjp_relu(const VjpCall& c, GradSink& s) {
  const Tensor positive = less(constant(c.in[0], 0), c.in[0]);
  s.add(0, select(positive, c.grad[0], constant(c.grad[0], 0)));
}

std::vector<Sample> samples_between(double low, double high) {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 5}, Shape{1}, Shape{17}, Shape{0, 3}, Shape{}})
    samples.push_back({.inputs = {{x, DType::f32}}, .low = low, .high = high});
  return samples;
}
std::vector<Sample> samples_any() { return samples_between(-2, 2); }
std::vector<Sample> samples_positive() { return samples_between(0.5, 3); }

// --- cast and scale
// -------------------------------------------------------------------------------

void infer_cast(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  out.push_back({in[0].shape(), attrs.as<DTypeAttrs>().dtype});
}
void cpu_cast(const KernelCall& c) noexcept { kernels::cast({c.in[0], c.out[0]}); }
void vjp_cast(const VjpCall& c, GradSink& s) {
  if (is_float(c.in[0].dtype())) s.add(0, cast(c.grad[0], c.in[0].dtype()));
}
std::vector<Sample> samples_cast() {
  Sample s{.inputs = {{{3, 5}, DType::f32}}, .attrs = DTypeAttrs{DType::bf16}};
  s.differentiable = 0;  // rounding has no derivative to difference
  return {s};
}

void cpu_scale(const KernelCall& c) noexcept {
  kernels::scale({c.in[0], c.out[0], c.attrs->as<FactorAttrs>().factor});
}
void vjp_scale(const VjpCall& c, GradSink& s) {
  s.add(0, scale(c.grad[0], c.attrs.as<FactorAttrs>().factor));
}
std::vector<Sample> samples_scale() {
  std::vector<Sample> samples = samples_any();
  for (Sample& s : samples) s.attrs = FactorAttrs{-1.75};
  return samples;
}

constexpr std::uint32_t kNone = 0, kAll = ~0u;

}  // namespace

namespace defs {
#define LATHE_UNARY(op, saved_in, saved_out, sampled) \
  extern const OpDef op{.name = #op,                  \
                        .traits = kElementwise,       \
                        .layout = Layout::any,        \
                        .infer = infer_float,         \
                        .cpu = cpu_unary<Unary::op>,  \
                        .vjp = vjp_##op,              \
                        .saves_inputs = saved_in,     \
                        .saves_outputs = saved_out,   \
                        .samples = sampled};
LATHE_UNARY(neg, kNone, kNone, samples_any)
LATHE_UNARY(exp, kNone, kAll, samples_any)
LATHE_UNARY(log, kAll, kNone, samples_positive)
LATHE_UNARY(sqrt, kNone, kAll, samples_positive)
LATHE_UNARY(rsqrt, kNone, kAll, samples_positive)
LATHE_UNARY(tanh, kNone, kAll, samples_any)
LATHE_UNARY(erf, kAll, kNone, samples_any)
LATHE_UNARY(sigmoid, kNone, kAll, samples_any)
LATHE_UNARY(square, kAll, kNone, samples_any)
LATHE_UNARY(abs, kAll, kNone, samples_positive)
LATHE_UNARY(relu, kAll, kNone, samples_positive)
#undef LATHE_UNARY
extern const OpDef cast{.name = "cast",
                        .traits = kElementwise,
                        .layout = Layout::any,
                        .infer = infer_cast,
                        .cpu = cpu_cast,
                        .vjp = vjp_cast,
                        .saves_inputs = kNone,
                        .saves_outputs = kNone,
                        .samples = samples_cast};
extern const OpDef scale{.name = "scale",
                         .traits = kElementwise,
                         .layout = Layout::any,
                         .infer = infer_float,
                         .cpu = cpu_scale,
                         .vjp = vjp_scale,
                         .saves_inputs = kNone,
                         .saves_outputs = kNone,
                         .samples = samples_scale};
}  // namespace defs

#define LATHE_UNARY(op) \
  Tensor op(const Tensor& x) { return apply_one(defs::op, std::array{x}); }
LATHE_UNARY(neg)
LATHE_UNARY(exp)
LATHE_UNARY(log)
LATHE_UNARY(sqrt)
LATHE_UNARY(rsqrt)
LATHE_UNARY(tanh)
LATHE_UNARY(erf)
LATHE_UNARY(sigmoid)
LATHE_UNARY(square)
LATHE_UNARY(abs)
LATHE_UNARY(relu)
#undef LATHE_UNARY

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return apply_one(defs::cast, std::array{x}, DTypeAttrs{dtype});
}

Tensor scale(const Tensor& x, double factor) {
  return apply_one(defs::scale, std::array{x}, FactorAttrs{factor});
}

}  // namespace lathe::ops
