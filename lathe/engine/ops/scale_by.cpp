// Factors that a tensor holds, so that they may change between replays of a captured graph.
#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

void check_factor(const char* subject, Inputs in) {
  expect_float(subject, in[0]);
  expect_shape(subject, "factor", in[1], {});
  if (in[1].dtype() != DType::f64) bad_shape(subject, "a factor in f64", in[1]);
}

void infer_scale(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  check_factor("scale_by", in);
  out.push_back({in[0].shape(), in[0].dtype()});
}
void infer_in_place(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  check_factor("scale_by_", in);
}

void cpu_scale(const KernelCall& c) noexcept {
  kernels::scale({c.in[0], c.out[0], *c.in[1].as<double>()});
}
void cpu_in_place(const KernelCall& c) noexcept {
  kernels::scale({c.in[0], c.in[0], *c.in[1].as<double>()});
}

void vjp_scale(const VjpCall& c, GradSink& s) { s.add(0, scale_by(c.grad[0], c.in[1])); }

std::vector<Sample> samples_scale() {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 17}, Shape{1}, Shape{0, 3}})
    samples.push_back({.inputs = {{x, DType::f32}, {{}, DType::f64}}, .differentiable = 1});
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef scale_by{.name = "scale_by",
                            .traits = kElementwise,
                            .layout = Layout::any,
                            .infer = infer_scale,
                            .cpu = cpu_scale,
                            .vjp = vjp_scale,
                            .facts = 2,
                            .saves_inputs = 2,
                            .saves_outputs = 0,
                            .samples = samples_scale};
extern const OpDef scale_by_{.name = "scale_by_",
                             .traits = kInPlace | kElementwise,
                             .writes = 1,
                             .layout = Layout::any,
                             .infer = infer_in_place,
                             .cpu = cpu_in_place,
                             .facts = 2,
                             .samples = samples_scale};
}  // namespace defs

Tensor scale_by(const Tensor& x, const Tensor& factor) {
  return apply_one(defs::scale_by, std::array{x, factor});
}

void scale_by_(const Tensor& x, const Tensor& factor) {
  ops::apply(defs::scale_by_, std::array{x, factor});
}

}  // namespace lathe::ops
