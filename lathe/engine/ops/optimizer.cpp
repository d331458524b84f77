// The update of AdamW, in one pass over memory; masters in two halves.
#include "lathe/engine/kernels/optimizer.h"

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct AdamwAttrs : AdamwRule {
  void fields(Fields& f) {
    f("beta1", beta1);
    f("beta2", beta2);
    f("eps", eps);
    f("weight_decay", weight_decay);
  }
};

/// Throws where `rest` is not the lower halves of a bf16 tensor's masters.
void expect_halves(const char* op, const Tensor& value, const Tensor& rest) {
  if (!value.defined() || value.dtype() != DType::bf16) bad_shape(op, "a bf16 value", value);
  if (rest.dtype() != DType::u8 || rest.count() != 2 * value.count())
    bad_shape(op, "two bytes of u8 for each bf16 value", rest);
}

// adamw_(value | none, m, v, shadow | none, rest | none, gradient, step)
void infer_adamw(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  for (std::size_t i = 0; i < 4; ++i)
    if (in[i].defined()) expect_shape("adamw_", "state", in[i], in[5].shape());
  if (in[4].defined()) expect_halves("adamw_", in[3], in[4]);
  if (in[0].defined() == in[4].defined())
    fail(ErrorCode::kInvalidArgument, "adamw_: expected either a whole value or its two halves");
  expect_shape("adamw_", "step", in[6], {kAdamwFacts});
  if (in[6].dtype() != DType::f64) bad_shape("adamw_", "a step in f64", in[6]);
}

void cpu_adamw(const KernelCall& c) noexcept {
  const auto& a = c.attrs->as<AdamwAttrs>();
  const double* step = c.in[6].as<double>();
  kernels::adamw({.theta = c.in[0],
                  .gradient = c.in[5],
                  .m = c.in[1],
                  .v = c.in[2],
                  .shadow = c.in[3],
                  .rest = c.in[4],
                  .lr = step[0],
                  .beta1 = a.beta1,
                  .beta2 = a.beta2,
                  .eps = a.eps,
                  .weight_decay = a.weight_decay,
                  .bias1 = step[1],
                  .bias2 = step[2],
                  .gradient_scale = step[3]});
}

double flops_adamw(Inputs in, Inputs, const Attrs&) {
  return 15.0 * static_cast<double>(in[5].count());
}

std::vector<Sample> samples_adamw() {
  AdamwAttrs a;
  a.weight_decay = 0.1;
  const TensorSpec step{{kAdamwFacts}, DType::f64};
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 17}, Shape{1}, Shape{0}}) {
    const TensorSpec spec{x, DType::f32}, half{x, DType::bf16};
    const TensorSpec rest{Shape{x.count(), 2}, DType::u8};
    samples.push_back({.inputs = {spec, spec, spec, spec, rest, spec, step},
                       .attrs = a,
                       .low = 0.1,
                       .high = 1,
                       .mixed_types = false,
                       .adjust = [](std::vector<Tensor>& in) { in[4] = Tensor(); }});
    samples.push_back({.inputs = {spec, spec, spec, half, rest, spec, step},
                       .attrs = a,
                       .low = 0.1,
                       .high = 1,
                       .integer_below = 256,
                       .mixed_types = false,
                       .adjust = [](std::vector<Tensor>& in) { in[0] = Tensor(); }});
  }
  return samples;
}

// split_master_(value, rest, master)
void infer_split(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  expect_halves("split_master_", in[0], in[1]);
  expect_shape("split_master_", "master", in[2], in[0].shape());
  if (in[2].dtype() != DType::f32) bad_shape("split_master_", "an f32 master", in[2]);
}

void cpu_split(const KernelCall& c) noexcept {
  kernels::split_master({.master = c.in[2], .value = c.in[0], .rest = c.in[1]});
}

// join_master(value, rest) -> master
void infer_join(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_halves("join_master", in[0], in[1]);
  out = {{in[0].shape(), DType::f32}};
}

void cpu_join(const KernelCall& c) noexcept {
  kernels::join_master({.master = c.out[0], .value = c.in[0], .rest = c.in[1]});
}

std::vector<Sample> samples_halves(bool with_master) {
  std::vector<Sample> samples;
  for (const Shape& x : {Shape{3, 17}, Shape{1}, Shape{0}}) {
    Sample s{.inputs = {{x, DType::bf16}, {Shape{x.count(), 2}, DType::u8}},
             .integer_below = 256,
             .differentiable = 0,
             .mixed_types = false};
    if (with_master) s.inputs.push_back({x, DType::f32});
    samples.push_back(std::move(s));
  }
  return samples;
}

std::vector<Sample> samples_split() { return samples_halves(true); }
std::vector<Sample> samples_join() { return samples_halves(false); }

}  // namespace

namespace defs {
extern const OpDef adamw_{.name = "adamw_",
                          .traits = kInPlace | kElementwise,
                          .writes = 5,
                          .infer = infer_adamw,
                          .cpu = cpu_adamw,
                          .facts = 1u << 6,
                          .flops = flops_adamw,
                          .samples = samples_adamw};
extern const OpDef split_master_{.name = "split_master_",
                                 .traits = kInPlace | kElementwise,
                                 .writes = 2,
                                 .infer = infer_split,
                                 .cpu = cpu_split,
                                 .samples = samples_split};
extern const OpDef join_master{.name = "join_master",
                               .traits = kElementwise,
                               .infer = infer_join,
                               .cpu = cpu_join,
                               .differentiable_outputs = 0,
                               .samples = samples_join};
}  // namespace defs

void adamw_(const Master& master, const Tensor& gradient, const Tensor& m, const Tensor& v,
            const Tensor& step, const AdamwRule& rule) {
  AdamwAttrs attrs;
  static_cast<AdamwRule&>(attrs) = rule;
  ops::apply(defs::adamw_,
             std::array{master.whole, m, v, master.value, master.rest, gradient, step}, attrs);
}

void split_master_(const Master& master, const Tensor& from) {
  ops::apply(defs::split_master_, std::array{master.value, master.rest, from});
}

Tensor join_master(const Master& master) {
  return ops::apply(defs::join_master, std::array{master.value, master.rest})[0];
}

}  // namespace lathe::ops
