// Linear layers that multiply in int8: forward and input gradient (docs/decisions/0016). The
// gradients of weight and bias are those of linear.
#include "lathe/engine/kernels/linear_int8.h"

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/linear_gradients.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct Int8Attrs {
  bool in_out = false;  // weight as [in,out]
  void fields(Fields& f) { f("in_out", in_out); }
};

void expect_rounded(const char* what, const Tensor& t) {
  if (!t.defined() || (t.dtype() != DType::f32 && t.dtype() != DType::bf16))
    fail(ErrorCode::kInvalidArgument, "linear_int8: {}: expected f32 or bf16, got {}", what,
         t.defined() ? describe(t) : "no tensor");
}

void infer_int8(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  expect_rounded("x", in[0]);
  expect_rounded("weight", in[1]);
  const bool in_out = attrs.as<Int8Attrs>().in_out;
  const Shape& w = in[1].shape();
  if (w.rank() != 2 || in[0].rank() < 1 || in[0].dim(-1) != w[in_out ? 0 : 1])
    fail(ErrorCode::kShapeMismatch, "linear_int8: x {} does not fit weight {}", describe(in[0]),
         describe(in[1]));
  const std::int64_t n = w[in_out ? 1 : 0];
  if (in.size() > 2 && in[2].defined()) expect_shape("linear_int8", "bias", in[2], {n});
  Shape shape = in[0].shape();
  shape[shape.rank() - 1] = n;
  out.push_back({shape, in[0].dtype()});
}

kernels::LinearInt8Args int8_args(const KernelCall& c) {
  kernels::LinearInt8Args args{.x = as_rows(c.in[0]),
                               .w = as_rows(c.in[1]),
                               .y = as_rows(c.out[0]),
                               .bias = c.in[2],
                               .before = c.before,
                               .after = c.after,
                               .workspace = c.workspace,
                               .workspace_bytes = c.workspace_bytes};
  if (c.attrs->as<Int8Attrs>().in_out) {
    std::swap(args.w.dims[0], args.w.dims[1]);
    std::swap(args.w.strides[0], args.w.strides[1]);
  }
  return args;
}

std::int64_t workspace_int8(const KernelCall& c) noexcept {
  return kernels::linear_int8_workspace(int8_args(c));
}
void cpu_int8(const KernelCall& c) noexcept { kernels::linear_int8(int8_args(c)); }

/// Rounding is a staircase, whose slope says nothing: it is passed over ("straight through"), and
/// what is left, dy W, is rounded in its turn.
void vjp_int8(const VjpCall& c, GradSink& sink) {
  const bool in_out = c.attrs.as<Int8Attrs>().in_out;
  if (sink.wants(0))
    sink.add(0, in_out ? linear_int8(c.grad[0], c.in[1]) : linear_int8_in_out(c.grad[0], c.in[1]));
  add_weight_gradient(c, in_out, sink);
  add_bias_gradient(c, sink);
}

double flops_int8(Inputs in, Inputs out, const Attrs&) {
  return 2.0 * static_cast<double>(out[0].count()) * static_cast<double>(in[0].dim(-1));
}

std::vector<Sample> samples_of(bool in_out) {
  const auto sample = [in_out](Shape x, std::int64_t n, bool bias) {
    const std::int64_t k = x.at(-1);
    Sample s{.inputs = {{x, DType::f32}, {in_out ? Shape{k, n} : Shape{n, k}, DType::f32}},
             .attrs = Int8Attrs{in_out}};
    if (bias) s.inputs.push_back({{n}, DType::f32});
    s.differentiable = 0;  // a staircase: engine/autograd/linear_int8_test.cpp tests the rule
    return s;
  };
  Sample mixed = sample({3, 40}, 33, true);  // f32 activations, bf16 weights
  mixed.adjust = [](std::vector<Tensor>& in) {
    if (in[0].dtype() == DType::f32) in[1] = cast(in[1], DType::bf16);
  };
  return {sample({2, 3, 5}, 7, true), sample({1, 1}, 1, true), sample({33, 70}, 48, false),
          sample({0, 4}, 3, true),    sample({4, 0}, 5, true), mixed};
}
std::vector<Sample> samples_int8() { return samples_of(false); }
std::vector<Sample> samples_int8_in_out() { return samples_of(true); }

constexpr OpDef def_of(const char* name, std::vector<Sample> (*samples)()) {
  return {.name = name,
          .traits = kMatmulLike | kRowsBefore | kTileAfter,
          .infer = infer_int8,
          .cpu = cpu_int8,
          .workspace = workspace_int8,
          .vjp = vjp_int8,
          .saves_inputs = 3,
          .saves_outputs = 0,
          .flops = flops_int8,
          .samples = samples};
}

}  // namespace

namespace defs {
// Two names, one definition: the weight's layout is the attribute.
extern const OpDef linear_int8 = def_of("linear_int8", samples_int8);
extern const OpDef linear_int8_in_out = def_of("linear_int8_in_out", samples_int8_in_out);
}  // namespace defs

Tensor linear_int8(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return apply_one(defs::linear_int8, std::array{x, weight, bias}, Int8Attrs{false});
}

Tensor linear_int8_in_out(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return apply_one(defs::linear_int8_in_out, std::array{x, weight, bias}, Int8Attrs{true});
}

}  // namespace lathe::ops
