// softmax and log_softmax over the last axis.
#include "lathe/engine/kernels/softmax.h"

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

void infer_same(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("softmax", in[0]);
  if (in[0].rank() < 1) bad_shape("softmax", "at least one axis", in[0]);
  out.push_back({in[0].shape(), in[0].dtype()});
}

void cpu_softmax(const KernelCall& c) noexcept {
  kernels::softmax({as_rows(c.in[0]), as_rows(c.out[0])});
}
void cpu_log_softmax(const KernelCall& c) noexcept {
  kernels::log_softmax({as_rows(c.in[0]), as_rows(c.out[0])});
}

Outputs composite_softmax(Inputs in, const Attrs&) {
  const Tensor e = exp(sub(in[0], max(in[0], -1, true)));
  Outputs out;
  out.push_back(div(e, sum(e, -1, true)));
  return out;
}
Outputs composite_log_softmax(Inputs in, const Attrs&) {
  const Tensor centred = sub(in[0], max(in[0], -1, true));
  Outputs out;
  out.push_back(sub(centred, log(sum(exp(centred), -1, true))));
  return out;
}

// dx = y (dy - sum dy y)
void vjp_softmax(const VjpCall& c, GradSink& sink) {
  const Tensor &y = c.out[0], &dy = c.grad[0];
  sink.add(0, mul(y, sub(dy, sum(mul(dy, y), -1, true))));
}
// dx = dy - e^y sum dy
void vjp_log_softmax(const VjpCall& c, GradSink& sink) {
  const Tensor &y = c.out[0], &dy = c.grad[0];
  sink.add(0, sub(dy, mul(exp(y), sum(dy, -1, true))));
}

double flops_softmax(Inputs in, Inputs, const Attrs&) {
  return 5.0 * static_cast<double>(in[0].count());
}

std::vector<Sample> samples_softmax() {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 7}, Shape{1}, Shape{2, 2, 33}, Shape{0, 4}})
    samples.push_back({.inputs = {{x, DType::f32}}});
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef softmax{.name = "softmax",
                           .traits = kNormalisation,
                           .infer = infer_same,
                           .cpu = cpu_softmax,
                           .composite = composite_softmax,
                           .vjp = vjp_softmax,
                           .saves_inputs = 0,
                           .flops = flops_softmax,
                           .samples = samples_softmax};
extern const OpDef log_softmax{.name = "log_softmax",
                               .traits = kNormalisation,
                               .infer = infer_same,
                               .cpu = cpu_log_softmax,
                               .composite = composite_log_softmax,
                               .vjp = vjp_log_softmax,
                               .saves_inputs = 0,
                               .flops = flops_softmax,
                               .samples = samples_softmax};
}  // namespace defs

Tensor softmax(const Tensor& x) { return apply_one(defs::softmax, std::array{x}); }
Tensor log_softmax(const Tensor& x) { return apply_one(defs::log_softmax, std::array{x}); }

}  // namespace lathe::ops
