// Cross entropy of logits, and of hidden states through the output projection in chunks.
#include "lathe/engine/kernels/cross_entropy.h"

#include "lathe/engine/kernels/linear_cross_entropy.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct HeadAttrs {
  double z_loss = 0;
  std::int64_t rows_per_sequence = 0;
  double soft_cap = 0;
  void fields(Fields& f) {
    f("z_loss", z_loss);
    f("soft_cap", soft_cap);
    f("rows_per_sequence", rows_per_sequence);
  }
};

// --- cross_entropy(logits, targets) -> nll
// --------------------------------------------------------

void infer_cross_entropy(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("cross_entropy", in[0]);
  expect_i32("cross_entropy", in[1]);
  if (in[0].rank() != 2) bad_shape("cross_entropy", "logits [N,V]", in[0]);
  expect_shape("cross_entropy", "targets", in[1], {in[0].dim(0)});
  out.push_back({{in[0].dim(0)}, wide(in[0].dtype())});
}

void cpu_cross_entropy(const KernelCall& c) noexcept {
  kernels::cross_entropy({.logits = c.in[0], .targets = c.in[1], .nll = c.out[0]});
}

// --- its gradient: (logits, targets, dnll) -> dlogits
// ---------------------------------------------

void infer_backward(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  out.push_back({in[0].shape(), in[0].dtype()});
}

/// The statistics that the kernel also computes are not wanted here, but have to go somewhere.
std::int64_t workspace_backward(const KernelCall& c) noexcept { return c.in[0].dims[0] * 8; }

void cpu_backward(const KernelCall& c) noexcept {
  View nll = c.in[2];
  nll.data = c.workspace;
  nll.strides[0] = 1;
  kernels::cross_entropy(
      {.logits = c.in[0], .targets = c.in[1], .weights = c.in[2], .nll = nll, .dlogits = c.out[0]});
}

std::vector<Sample> samples_cross_entropy() {
  return {{.inputs = {{{4, 7}, DType::f32}, {{4}, DType::i32}},
           .integer_below = 7,
           .differentiable = 1},
          {.inputs = {{{3, 33}, DType::f32}, {{3}, DType::i32}},
           .integer_below = 33,
           .differentiable = 1,
           .adjust =
               [](std::vector<Tensor>& in) {
                 in[1].data<std::int32_t>()[1] = -1;  // a row without a target
               }},
          {.inputs = {{{0, 5}, DType::f32}, {{0}, DType::i32}}, .differentiable = 1}};
}

std::vector<Sample> samples_backward() {
  return {{.inputs = {{{4, 33}, DType::f32}, {{4}, DType::i32}, {{4}, DType::f32}},
           .integer_below = 33,
           .mixed_types = false}};
}

// --- linear_cross_entropy(x, weight, targets) -> nll
// ----------------------------------------------

void check_head(const char* subject, const Tensor& x, const Tensor& weight, const Tensor& targets) {
  expect_float(subject, x);
  expect_i32(subject, targets);
  if (x.rank() != 2 || weight.rank() != 2 || x.dim(1) != weight.dim(1) ||
      (x.dtype() != weight.dtype() && !mixes(x, weight)))
    fail(ErrorCode::kShapeMismatch, "{}: x {} does not fit weight {}", subject, describe(x),
         describe(weight));
  expect_shape(subject, "targets", targets, {x.dim(0)});
}

void infer_linear(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  check_head("linear_cross_entropy", in[0], in[1], in[2]);
  out.push_back({{in[0].dim(0)}, wide(in[0].dtype())});
}

kernels::LinearCrossEntropyArgs linear_args(const KernelCall& c) {
  return {.x = c.in[0],
          .weight = c.in[1],
          .targets = c.in[2],
          .nll = c.out[0],
          .soft_cap = static_cast<float>(c.attrs->as<HeadAttrs>().soft_cap),
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}
std::int64_t workspace_linear(const KernelCall& c) noexcept {
  return kernels::linear_cross_entropy_workspace(linear_args(c));
}
void cpu_linear(const KernelCall& c) noexcept { kernels::linear_cross_entropy(linear_args(c)); }

Outputs composite_linear(Inputs in, const Attrs& attrs) {
  const double cap = attrs.as<HeadAttrs>().soft_cap;
  Tensor logits = linear(in[0], in[1]);
  if (cap > 0) logits = scale(tanh(scale(logits, 1 / cap)), cap);
  Outputs out;
  out.push_back(cross_entropy(logits, in[2]));
  return out;
}

/// dnll scales each token's gradient, as token weights do, so the training op computes it all.
void vjp_linear(const VjpCall& c, GradSink& sink) {
  Tensor acc = sink.accumulator(1);
  const bool owned = sink.wants(1) && !acc.defined();
  if (owned) acc = full(c.in[1].shape(), 0, wide(c.in[1].dtype()), c.in[1].device());
  sink.add(0, linear_cross_entropy_grad_(acc, c.in[0], c.in[1], c.in[2], c.grad[0],
                                         {.soft_cap = c.attrs.as<HeadAttrs>().soft_cap})
                  .dx);
  if (owned) sink.add(1, acc);
}

double flops_linear(Inputs in, Inputs, const Attrs&) {
  return 2.0 * static_cast<double>(in[0].count()) * static_cast<double>(in[1].dim(0));
}

std::vector<Sample> samples_linear() {
  std::vector<Sample> samples;
  for (const std::int64_t n : {5, 1, 0, 300})
    samples.push_back({.inputs = {{{n, 6}, DType::f32}, {{11, 6}, DType::f32}, {{n}, DType::i32}},
                       .attrs = HeadAttrs{},
                       .integer_below = 11,
                       .differentiable = 3});
  samples.push_back(samples.front());
  samples.back().attrs = HeadAttrs{.soft_cap = 3};
  return samples;
}

// --- linear_cross_entropy_grad_(weight_acc | none, x, weight, targets, token_weights) -> nll, dx
// ---

void infer_grad(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  check_head("linear_cross_entropy_grad_", in[1], in[2], in[3]);
  if (in[0].defined())
    expect_shape("linear_cross_entropy_grad_", "weight accumulator", in[0], in[2].shape());
  expect_shape("linear_cross_entropy_grad_", "token weights", in[4], {in[1].dim(0)});
  out.push_back({{in[1].dim(0)}, wide(in[1].dtype())});
  out.push_back({in[1].shape(), in[1].dtype()});
}

kernels::LinearCrossEntropyArgs grad_args(const KernelCall& c) {
  const auto& a = c.attrs->as<HeadAttrs>();
  return {.x = c.in[1],
          .weight = c.in[2],
          .targets = c.in[3],
          .token_weights = c.in[4],
          .nll = c.out[0],
          .dx = c.out[1],
          .weight_acc = c.in[0],
          .z_loss = static_cast<float>(a.z_loss),
          .soft_cap = static_cast<float>(a.soft_cap),
          .rows_per_sequence = a.rows_per_sequence,
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}
std::int64_t workspace_grad(const KernelCall& c) noexcept {
  return kernels::linear_cross_entropy_workspace(grad_args(c));
}
void cpu_grad(const KernelCall& c) noexcept { kernels::linear_cross_entropy(grad_args(c)); }

double flops_grad(Inputs in, Inputs, const Attrs&) {
  const double product =
      2.0 * static_cast<double>(in[1].count()) * static_cast<double>(in[2].dim(0));
  return product * (in[0].defined() ? 3 : 2);
}

std::vector<Sample> samples_grad() {
  std::vector<Sample> samples;
  for (const std::int64_t n : {5, 0, 300})
    samples.push_back({.inputs = {{{11, 6}, DType::f32},
                                  {{n, 6}, DType::f32},
                                  {{11, 6}, DType::f32},
                                  {{n}, DType::i32},
                                  {{n}, DType::f32}},
                       .attrs = HeadAttrs{1e-3, 5},
                       .low = 0.1,
                       .integer_below = 11,
                       .mixed_types = false});
  samples.push_back(samples.front());
  samples.back().attrs = HeadAttrs{1e-3, 5, 3};
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef cross_entropy_backward{.name = "cross_entropy_backward",
                                          .infer = infer_backward,
                                          .cpu = cpu_backward,
                                          .workspace = workspace_backward,
                                          .samples = samples_backward};
}  // namespace defs

namespace {
/// log_softmax at the target; rows without a target are zeroed by a mask.
Outputs composite_cross_entropy(Inputs in, const Attrs&) {
  const std::int64_t n = in[0].dim(0), v = in[0].dim(1);
  std::vector<float> onehot(static_cast<std::size_t>(n * v), 0.0f);
  for (std::int64_t i = 0; i < n; ++i)
    if (const std::int32_t t = in[1].data<std::int32_t>()[i]; t >= 0 && t < v)
      onehot[static_cast<std::size_t>(i * v + t)] = -1.0f;
  const DType type = wide(in[0].dtype());
  const Tensor mask = cast(Tensor::from(onehot, {n, v}), type);
  Outputs out;
  out.push_back(sum(mul(log_softmax(cast(in[0], type)), mask), -1));
  return out;
}

void vjp_cross_entropy(const VjpCall& c, GradSink& sink) {
  sink.add(0, apply_one(defs::cross_entropy_backward, std::array{c.in[0], c.in[1], c.grad[0]}));
}
}  // namespace

namespace defs {
extern const OpDef cross_entropy{.name = "cross_entropy",
                                 .infer = infer_cross_entropy,
                                 .cpu = cpu_cross_entropy,
                                 .composite = composite_cross_entropy,
                                 .vjp = vjp_cross_entropy,
                                 .saves_outputs = 0,
                                 .samples = samples_cross_entropy};
extern const OpDef linear_cross_entropy{.name = "linear_cross_entropy",
                                        .traits = kMatmulLike,
                                        .infer = infer_linear,
                                        .cpu = cpu_linear,
                                        .workspace = workspace_linear,
                                        .composite = composite_linear,
                                        .vjp = vjp_linear,
                                        .saves_outputs = 0,
                                        .flops = flops_linear,
                                        .samples = samples_linear};
extern const OpDef linear_cross_entropy_grad_{.name = "linear_cross_entropy_grad_",
                                              .traits = kInPlace | kMatmulLike,
                                              .writes = 1,
                                              .infer = infer_grad,
                                              .cpu = cpu_grad,
                                              .workspace = workspace_grad,
                                              .flops = flops_grad,
                                              .samples = samples_grad};
}  // namespace defs

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  return apply_one(defs::cross_entropy, std::array{logits, targets});
}

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                            double soft_cap) {
  return apply_one(defs::linear_cross_entropy, std::array{x, weight, targets},
                   HeadAttrs{.soft_cap = soft_cap});
}

HeadLoss linear_cross_entropy_grad_(const Tensor& weight_acc, const Tensor& x, const Tensor& weight,
                                    const Tensor& targets, const Tensor& token_weights,
                                    const HeadLossOptions& o) {
  const Outputs out = ops::apply(defs::linear_cross_entropy_grad_,
                                 std::array{weight_acc, x, weight, targets, token_weights},
                                 HeadAttrs{o.z_loss, o.rows_per_sequence, o.soft_cap});
  return {out[0], out[1]};
}

}  // namespace lathe::ops
