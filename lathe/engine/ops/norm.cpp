// RMSNorm and LayerNorm over the last axis.
#include "lathe/engine/kernels/layer_norm.h"
#include "lathe/engine/kernels/rms_norm.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct NormAttrs {
  double eps = 1e-5;
  DType out = DType::f32;
  double offset = 0;  // of rms_norm's weight
  void fields(Fields& f) {
    f("eps", eps);
    f("offset", offset);
    std::string text(name(out));
    f("out", text);
  }
};

/// Statistics of rows: [...], f32 beside f32 and bf16.
Shape rows_shape(const Tensor& x) {
  Shape shape;
  for (int i = 0; i + 1 < x.rank(); ++i) shape.push_back(x.dim(i));
  return shape;
}

DType out_type(const Tensor& x, const Attrs& attrs) {
  return x.dtype() == DType::f64 ? DType::f64 : attrs.as<NormAttrs>().out;
}

void check_norm(const char* subject, Inputs in, int vectors) {
  expect_float(subject, in[0]);
  if (in[0].rank() < 1) bad_shape(subject, "at least one axis", in[0]);
  for (int i = 1; i <= vectors; ++i)
    expect_shape(subject, "weight or bias", in[static_cast<std::size_t>(i)], {in[0].dim(-1)});
}

// --- rms_norm(x, weight) -> y, inverse_rms
// --------------------------------------------------------

void infer_rms(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  check_norm("rms_norm", in, 1);
  out.push_back({in[0].shape(), out_type(in[0], attrs)});
  out.push_back({rows_shape(in[0]), wide(in[0].dtype())});
}

void cpu_rms(const KernelCall& c) noexcept {
  kernels::rms_norm({.x = as_rows(c.in[0]),
                     .weight = c.in[1],
                     .y = as_rows(c.out[0]),
                     .inverse_rms = as_vector(c.out[1]),
                     .eps = static_cast<float>(c.attrs->as<NormAttrs>().eps),
                     .offset = static_cast<float>(c.attrs->as<NormAttrs>().offset)});
}

Outputs composite_rms(Inputs in, const Attrs& attrs) {
  const Tensor x = in[0].dtype() == DType::bf16 ? cast(in[0], DType::f32) : in[0];
  const Tensor mean_square = mean(square(x), -1, true);
  const Tensor inverse =
      rsqrt(add(mean_square, full({}, attrs.as<NormAttrs>().eps, x.dtype(), x.device())));
  const double offset = attrs.as<NormAttrs>().offset;
  const Tensor weight =
      offset == 0 ? in[1] : add(in[1], full({}, offset, in[1].dtype(), in[1].device()));
  Outputs out;
  out.push_back(cast(mul(mul(x, inverse), weight), out_type(in[0], attrs)));
  out.push_back(reshape(inverse, rows_shape(in[0])));
  return out;
}

void vjp_rms(const VjpCall& c, GradSink& sink) {
  Tensor acc = sink.accumulator(1);
  const bool owned = sink.wants(1) && !acc.defined();
  if (owned) acc = full(c.in[1].shape(), 0, wide(c.in[0].dtype()), c.in[0].device());
  sink.add(0, rms_norm_grad_(acc, c.in[0], c.in[1], c.out[1], c.grad[0],
                             c.attrs.as<NormAttrs>().offset));
  if (owned) sink.add(1, acc);
}

double flops_norm(Inputs in, Inputs, const Attrs&) {
  return 5.0 * static_cast<double>(in[0].count());
}

std::vector<Sample> samples_of_norm(bool bias) {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{2, 3, 20}, Shape{5, 1}, Shape{3, 33}, Shape{0, 8}, Shape{4, 64}}) {
    Sample s{.inputs = {{x, DType::f32}, {{x.at(-1)}, DType::f32}}, .attrs = NormAttrs{}};
    if (bias) s.inputs.push_back({{x.at(-1)}, DType::f32});
    // A row of one element has variance zero: the gradient is 1/sqrt(eps), too steep to difference.
    if (bias && x.at(-1) == 1) s.attrs = NormAttrs{.eps = 1.0};
    samples.push_back(std::move(s));
  }
  return samples;
}
std::vector<Sample> samples_rms() {
  std::vector<Sample> samples = samples_of_norm(false);
  samples.push_back(samples.front());
  samples.back().attrs = NormAttrs{.offset = 1};
  return samples;
}
std::vector<Sample> samples_layer() { return samples_of_norm(true); }

// --- rms_norm_grad_(weight_acc | none, x, weight, inverse_rms, dy) -> dx
// ---------------------------

void infer_rms_grad(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_shape("rms_norm_grad_", "dy", in[4], in[1].shape());
  out.push_back({in[1].shape(), in[1].dtype()});
}

void cpu_rms_grad(const KernelCall& c) noexcept {
  kernels::rms_norm_backward({.x = as_rows(c.in[1]),
                              .weight = c.in[2],
                              .inverse_rms = as_vector(c.in[3]),
                              .dy = as_rows(c.in[4]),
                              .dx = as_rows(c.out[0]),
                              .dweight_acc = c.in[0],
                              .offset = static_cast<float>(c.attrs->as<NormAttrs>().offset)});
}

// --- layer_norm(x, weight, bias) -> y, mean, inverse_std
// ------------------------------------------

void infer_layer(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  check_norm("layer_norm", in, 2);
  out.push_back({in[0].shape(), out_type(in[0], attrs)});
  out.push_back({rows_shape(in[0]), wide(in[0].dtype())});
  out.push_back({rows_shape(in[0]), wide(in[0].dtype())});
}

void cpu_layer(const KernelCall& c) noexcept {
  kernels::layer_norm({.x = as_rows(c.in[0]),
                       .weight = c.in[1],
                       .bias = c.in[2],
                       .y = as_rows(c.out[0]),
                       .mean = as_vector(c.out[1]),
                       .inverse_std = as_vector(c.out[2]),
                       .eps = static_cast<float>(c.attrs->as<NormAttrs>().eps)});
}

Outputs composite_layer(Inputs in, const Attrs& attrs) {
  const Tensor x = in[0].dtype() == DType::bf16 ? cast(in[0], DType::f32) : in[0];
  const Tensor average = mean(x, -1, true);
  const Tensor centred = sub(x, average);
  const Tensor inverse = rsqrt(add(mean(square(centred), -1, true),
                                   full({}, attrs.as<NormAttrs>().eps, x.dtype(), x.device())));
  Outputs out;
  out.push_back(cast(add(mul(mul(centred, inverse), in[1]), in[2]), out_type(in[0], attrs)));
  out.push_back(reshape(average, rows_shape(in[0])));
  out.push_back(reshape(inverse, rows_shape(in[0])));
  return out;
}

void vjp_layer(const VjpCall& c, GradSink& sink) {
  Tensor acc[2];
  bool owned[2];
  for (int i = 0; i < 2; ++i) {
    acc[i] = sink.accumulator(i + 1);
    owned[i] = sink.wants(i + 1) && !acc[i].defined();
    if (owned[i]) acc[i] = full(c.in[1].shape(), 0, wide(c.in[0].dtype()), c.in[0].device());
  }
  sink.add(0, layer_norm_grad_(acc[0], acc[1], c.in[0], c.in[1], c.out[1], c.out[2], c.grad[0]));
  for (int i = 0; i < 2; ++i)
    if (owned[i]) sink.add(i + 1, acc[i]);
}

// --- layer_norm_grad_(weight_acc | none, bias_acc | none, x, weight, mean, inverse_std, dy) -> dx
// ---

void infer_layer_grad(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_shape("layer_norm_grad_", "dy", in[6], in[2].shape());
  out.push_back({in[2].shape(), in[2].dtype()});
}

void cpu_layer_grad(const KernelCall& c) noexcept {
  kernels::layer_norm_backward({.x = as_rows(c.in[2]),
                                .weight = c.in[3],
                                .mean = as_vector(c.in[4]),
                                .inverse_std = as_vector(c.in[5]),
                                .dy = as_rows(c.in[6]),
                                .dx = as_rows(c.out[0]),
                                .dweight_acc = c.in[0],
                                .dbias_acc = c.in[1]});
}

std::vector<Sample> samples_of_grad(bool layer) {
  std::vector<Sample> samples;
  for (const std::int64_t c : {33, 1, 64}) {
    const TensorSpec x{{3, c}, DType::f32}, w{{c}, DType::f32}, row{{3}, DType::f32};
    Sample s{.inputs = {w, x, w, row, x}, .attrs = NormAttrs{}, .mixed_types = false};
    if (layer) s.inputs = {w, w, x, w, row, row, x};
    samples.push_back(std::move(s));
  }
  return samples;
}
std::vector<Sample> samples_rms_grad() {
  std::vector<Sample> samples = samples_of_grad(false);
  samples.push_back(samples.front());
  samples.back().attrs = NormAttrs{.offset = 1};
  return samples;
}
std::vector<Sample> samples_layer_grad() { return samples_of_grad(true); }

}  // namespace

namespace defs {
extern const OpDef rms_norm{.name = "rms_norm",
                            .traits = kNormalisation | kCheap,
                            .infer = infer_rms,
                            .cpu = cpu_rms,
                            .composite = composite_rms,
                            .vjp = vjp_rms,
                            .saves_outputs = 2,
                            .differentiable_outputs = 1,
                            .flops = flops_norm,
                            .samples = samples_rms};
extern const OpDef rms_norm_grad_{.name = "rms_norm_grad_",
                                  .traits = kInPlace,
                                  .writes = 1,
                                  .infer = infer_rms_grad,
                                  .cpu = cpu_rms_grad,
                                  .samples = samples_rms_grad};
extern const OpDef layer_norm{.name = "layer_norm",
                              .traits = kNormalisation | kCheap,
                              .infer = infer_layer,
                              .cpu = cpu_layer,
                              .composite = composite_layer,
                              .vjp = vjp_layer,
                              .saves_inputs = 7,
                              .saves_outputs = 6,
                              .differentiable_outputs = 1,
                              .flops = flops_norm,
                              .samples = samples_layer};
extern const OpDef layer_norm_grad_{.name = "layer_norm_grad_",
                                    .traits = kInPlace,
                                    .writes = 2,
                                    .infer = infer_layer_grad,
                                    .cpu = cpu_layer_grad,
                                    .samples = samples_layer_grad};
}  // namespace defs

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, DType out, double offset) {
  return apply_one(defs::rms_norm, std::array{x, weight}, NormAttrs{eps, out, offset});
}

Tensor rms_norm_grad_(const Tensor& weight_acc, const Tensor& x, const Tensor& weight,
                      const Tensor& inverse_rms, const Tensor& dy, double offset) {
  return apply_one(defs::rms_norm_grad_, std::array{weight_acc, x, weight, inverse_rms, dy},
                   NormAttrs{.offset = offset});
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                  DType out) {
  return apply_one(defs::layer_norm, std::array{x, weight, bias}, NormAttrs{eps, out});
}

Tensor layer_norm_grad_(const Tensor& weight_acc, const Tensor& bias_acc, const Tensor& x,
                        const Tensor& weight, const Tensor& mean, const Tensor& inverse_std,
                        const Tensor& dy) {
  return apply_one(defs::layer_norm_grad_,
                   std::array{weight_acc, bias_acc, x, weight, mean, inverse_std, dy});
}

}  // namespace lathe::ops
