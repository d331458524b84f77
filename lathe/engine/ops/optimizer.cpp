// The update of AdamW, in one pass over memory.
#include "lathe/engine/kernels/optimizer.h"

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct AdamwAttrs : AdamwStep {
  void fields(Fields& f) {
    f("lr", lr);
    f("beta1", beta1);
    f("beta2", beta2);
    f("eps", eps);
    f("weight_decay", weight_decay);
    f("bias1", bias1);
    f("bias2", bias2);
    f("gradient_scale", gradient_scale);
  }
};

// adamw_(value, m, v, shadow | none, gradient)
void infer_adamw(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  for (const Tensor& t : in)
    if (t.defined()) expect_shape("adamw_", "state", t, in[0].shape());
}

void cpu_adamw(const KernelCall& c) noexcept {
  const auto& a = c.attrs->as<AdamwAttrs>();
  kernels::adamw({.theta = c.in[0],
                  .gradient = c.in[4],
                  .m = c.in[1],
                  .v = c.in[2],
                  .shadow = c.in[3],
                  .lr = a.lr,
                  .beta1 = a.beta1,
                  .beta2 = a.beta2,
                  .eps = a.eps,
                  .weight_decay = a.weight_decay,
                  .bias1 = a.bias1,
                  .bias2 = a.bias2,
                  .gradient_scale = a.gradient_scale});
}

double flops_adamw(Inputs in, Inputs, const Attrs&) {
  return 15.0 * static_cast<double>(in[0].count());
}

std::vector<Sample> samples_adamw() {
  AdamwAttrs a;
  a.lr = 0.01;
  a.weight_decay = 0.1;
  a.bias1 = 0.1;
  a.bias2 = 0.05;
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 17}, Shape{1}, Shape{0}}) {
    const TensorSpec spec{x, DType::f32};
    samples.push_back({.inputs = {spec, spec, spec, spec, spec},
                       .attrs = a,
                       .low = 0.1,
                       .high = 1,
                       .mixed_types = false});
  }
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef adamw_{.name = "adamw_",
                          .traits = kInPlace | kElementwise,
                          .writes = 4,
                          .infer = infer_adamw,
                          .cpu = cpu_adamw,
                          .flops = flops_adamw,
                          .samples = samples_adamw};
}  // namespace defs

void adamw_(const Tensor& value, const Tensor& gradient, const Tensor& m, const Tensor& v,
            const Tensor& shadow, const AdamwStep& step) {
  AdamwAttrs attrs;
  static_cast<AdamwStep&>(attrs) = step;
  ops::apply(defs::adamw_, std::array{value, m, v, shadow, gradient}, attrs);
}

}  // namespace lathe::ops
