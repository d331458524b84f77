// silu, gelu and gated activations (SwiGLU, GEGLU, ...), with their gradients.
#include "lathe/engine/kernels/activation.h"

#include <cmath>
#include <numbers>

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct GeluAttrs {
  bool approximate = true;
  void fields(Fields& f) { f("approximate", approximate); }
};

kernels::Activation gelu_kind(const Attrs& attrs) {
  return attrs.as<GeluAttrs>().approximate ? kernels::Activation::gelu_tanh
                                           : kernels::Activation::gelu_erf;
}

struct GateAttrs {
  Activation kind = Activation::silu;
  void fields(Fields& f) {
    constexpr const char* kNames[] = {"silu", "gelu", "gelu_tanh", "relu"};
    std::string text(kNames[static_cast<int>(kind)]);
    f("kind", text);
  }
};

kernels::Activation gate_kind(const Attrs& attrs) {
  switch (attrs.as<GateAttrs>().kind) {
    case Activation::gelu:
      return kernels::Activation::gelu_erf;
    case Activation::gelu_tanh:
      return kernels::Activation::gelu_tanh;
    case Activation::relu:
      return kernels::Activation::relu;
    default:
      return kernels::Activation::silu;
  }
}

Outputs one(Tensor t) {
  Outputs out;
  out.push_back(std::move(t));
  return out;
}

Tensor constant(const Tensor& like, double value) {
  return full({}, value, like.dtype(), like.device());
}

void infer_same(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("activation", in[0]);
  for (const Tensor& t : in) expect_shape("activation", "input", t, in[0].shape());
  out.push_back({in[0].shape(), in[0].dtype()});
}

double flops_ten(Inputs in, Inputs, const Attrs&) {
  return 10.0 * static_cast<double>(in[0].count());
}

// --- silu and gelu
// --------------------------------------------------------------------------------

void cpu_silu(const KernelCall& c) noexcept {
  kernels::activation({as_rows(c.in[0]), as_rows(c.out[0]), kernels::Activation::silu});
}
void cpu_silu_backward(const KernelCall& c) noexcept {
  kernels::activation_backward(
      {as_rows(c.in[0]), as_rows(c.in[1]), as_rows(c.out[0]), kernels::Activation::silu});
}
void cpu_gelu(const KernelCall& c) noexcept {
  kernels::activation({as_rows(c.in[0]), as_rows(c.out[0]), gelu_kind(*c.attrs)});
}
void cpu_gelu_backward(const KernelCall& c) noexcept {
  kernels::activation_backward(
      {as_rows(c.in[0]), as_rows(c.in[1]), as_rows(c.out[0]), gelu_kind(*c.attrs)});
}

Outputs composite_silu(Inputs in, const Attrs&) { return one(mul(in[0], sigmoid(in[0]))); }

Outputs composite_gelu(Inputs in, const Attrs& attrs) {
  const Tensor& x = in[0];
  const Tensor inner = attrs.as<GeluAttrs>().approximate
                           ? tanh(scale(add(x, scale(mul(square(x), x), 0.044715)),
                                        std::sqrt(2.0 / std::numbers::pi)))
                           : erf(scale(x, 1.0 / std::numbers::sqrt2));
  return one(mul(scale(x, 0.5), add(inner, constant(x, 1.0))));
}

// --- gated
// ---------------------------------------------------------------------------------------

void cpu_gated(const KernelCall& c) noexcept {
  kernels::gated({as_rows(c.in[0]), as_rows(c.in[1]), as_rows(c.out[0]), gate_kind(*c.attrs)});
}
void cpu_gated_backward(const KernelCall& c) noexcept {
  kernels::gated_backward({as_rows(c.in[0]), as_rows(c.in[1]), as_rows(c.in[2]), as_rows(c.out[0]),
                           as_rows(c.out[1]), gate_kind(*c.attrs)});
}
Outputs composite_gated(Inputs in, const Attrs& attrs) {
  return one(mul(activate(in[0], attrs.as<GateAttrs>().kind), in[1]));
}

void infer_gated_backward(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  infer_same(in, attrs, out);
  out.push_back(out.back());
}

// --- samples
// --------------------------------------------------------------------------------------

std::vector<Sample> samples_unary() {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 17}, Shape{1}, Shape{0}, Shape{2, 3, 32}})
    samples.push_back(
        {.inputs = {{x, DType::f32}}, .attrs = GeluAttrs{true}, .low = -4, .high = 4});
  Sample exact = samples.front();
  exact.attrs = GeluAttrs{false};
  samples.push_back(exact);
  return samples;
}
std::vector<Sample> samples_binary() {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 17}, Shape{1}, Shape{0}, Shape{2, 3, 32}})
    samples.push_back({.inputs = {{x, DType::f32}, {x, DType::f32}},
                       .attrs = GeluAttrs{true},
                       .low = -4,
                       .high = 4});
  return samples;
}
std::vector<Sample> samples_gated() {
  std::vector<Sample> samples = samples_binary();
  for (Sample& s : samples) s.attrs = GateAttrs{};
  const Sample first = samples.front();
  for (const Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
    samples.push_back(first);
    samples.back().attrs = GateAttrs{kind};
    if (kind == Activation::relu) samples.back().low = 0.1;  // away from the kink
  }
  return samples;
}
std::vector<Sample> samples_gated_backward() {
  std::vector<Sample> samples = samples_gated();
  for (Sample& s : samples) s.inputs.push_back(s.inputs[0]);
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef silu_backward{.name = "silu_backward",
                                 .traits = kElementwise,
                                 .infer = infer_same,
                                 .cpu = cpu_silu_backward,
                                 .flops = flops_ten,
                                 .samples = samples_binary};
extern const OpDef gelu_backward{.name = "gelu_backward",
                                 .traits = kElementwise,
                                 .infer = infer_same,
                                 .cpu = cpu_gelu_backward,
                                 .flops = flops_ten,
                                 .samples = samples_binary};
extern const OpDef gated_backward{.name = "gated_backward",
                                  .traits = kElementwise,
                                  .infer = infer_gated_backward,
                                  .cpu = cpu_gated_backward,
                                  .flops = flops_ten,
                                  .samples = samples_gated_backward};
}  // namespace defs

namespace {
void vjp_silu(const VjpCall& c, GradSink& sink) {
  sink.add(0, apply_one(defs::silu_backward, std::array{c.in[0], c.grad[0]}));
}
void vjp_gelu(const VjpCall& c, GradSink& sink) {
  sink.add(0, apply_one(defs::gelu_backward, std::array{c.in[0], c.grad[0]}, c.attrs));
}
void vjp_gated(const VjpCall& c, GradSink& sink) {
  const Outputs d =
      ops::apply(defs::gated_backward, std::array{c.in[0], c.in[1], c.grad[0]}, c.attrs);
  sink.add(0, d[0]);
  sink.add(1, d[1]);
}
}  // namespace

namespace defs {
extern const OpDef silu{.name = "silu",
                        .traits = kElementwise | kCheap | kStridedRows,
                        .infer = infer_same,
                        .cpu = cpu_silu,
                        .composite = composite_silu,
                        .vjp = vjp_silu,
                        .saves_outputs = 0,
                        .flops = flops_ten,
                        .samples = samples_unary};
extern const OpDef gelu{.name = "gelu",
                        .traits = kElementwise | kCheap | kStridedRows,
                        .infer = infer_same,
                        .cpu = cpu_gelu,
                        .composite = composite_gelu,
                        .vjp = vjp_gelu,
                        .saves_outputs = 0,
                        .flops = flops_ten,
                        .samples = samples_unary};
extern const OpDef gated{.name = "gated",
                         .traits = kElementwise | kCheap | kStridedRows,
                         .infer = infer_same,
                         .cpu = cpu_gated,
                         .composite = composite_gated,
                         .vjp = vjp_gated,
                         .saves_outputs = 0,
                         .flops = flops_ten,
                         .samples = samples_gated};
}  // namespace defs

Tensor silu(const Tensor& x) { return apply_one(defs::silu, std::array{x}); }
Tensor gelu(const Tensor& x, bool approximate) {
  return apply_one(defs::gelu, std::array{x}, GeluAttrs{approximate});
}
Tensor activate(const Tensor& x, Activation kind) {
  switch (kind) {
    case Activation::gelu:
      return gelu(x, false);
    case Activation::gelu_tanh:
      return gelu(x, true);
    case Activation::relu:
      return relu(x);
    default:
      return silu(x);
  }
}
Tensor gated(const Tensor& gate, const Tensor& up, Activation kind) {
  return apply_one(defs::gated, std::array{gate, up}, GateAttrs{kind});
}
Tensor swiglu(const Tensor& gate, const Tensor& up) { return gated(gate, up, Activation::silu); }

}  // namespace lathe::ops
