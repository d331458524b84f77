// Matrix products: matmul, linear (PyTorch layout), linear_in_out (Conv1D layout) and the
// accumulating product behind every weight gradient.
#include "lathe/engine/kernels/matmul.h"

#include "lathe/engine/kernels/bf16_codes.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/linear_gradients.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

View flipped(View v) {
  std::swap(v.dims[v.rank - 1], v.dims[v.rank - 2]);
  std::swap(v.strides[v.rank - 1], v.strides[v.rank - 2]);
  return v;
}

// --- matmul
// ---------------------------------------------------------------------------------------

void infer_matmul(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("matmul", in[0]);
  expect_float("matmul", in[1]);
  const Shape &a = in[0].shape(), &b = in[1].shape();
  if (a.rank() < 2 || a.rank() > 3 || b.rank() != a.rank())
    fail(ErrorCode::kShapeMismatch, "matmul: expected two matrices or two batches, got {} and {}",
         describe(in[0]), describe(in[1]));
  if (a.at(-1) != b.at(-2))
    fail(ErrorCode::kShapeMismatch, "matmul: inner sizes differ, a {} and b {}{}", to_string(a),
         to_string(b), a.at(-1) == b.at(-1) ? "; did you mean b transposed?" : "");
  if (in[0].dtype() != in[1].dtype())
    fail(ErrorCode::kInvalidArgument, "matmul: types differ, {} and {}; cast one of them",
         describe(in[0]), describe(in[1]));
  if (a.rank() == 2) {
    out.push_back({{a[0], b[1]}, in[0].dtype()});
  } else {
    if (a[0] != b[0])
      fail(ErrorCode::kShapeMismatch, "matmul: batch sizes differ, a {} and b {}", to_string(a),
           to_string(b));
    out.push_back({{a[0], a[1], b[2]}, in[0].dtype()});
  }
}

kernels::MatmulArgs matmul_args(const KernelCall& c) {
  return {.a = c.in[0],
          .b = c.in[1],
          .c = c.out[0],
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}

std::int64_t workspace_matmul(const KernelCall& c) noexcept {
  return kernels::matmul_workspace(matmul_args(c));
}

void cpu_matmul(const KernelCall& c) noexcept { kernels::matmul(matmul_args(c)); }

void vjp_matmul(const VjpCall& c, GradSink& sink) {
  if (sink.wants(0)) sink.add(0, matmul(c.grad[0], transpose(c.in[1])));
  if (sink.wants(1)) sink.add(1, matmul(transpose(c.in[0]), c.grad[0]));
}

double flops_matmul(Inputs in, Inputs out, const Attrs&) {
  return 2.0 * static_cast<double>(out[0].count()) * static_cast<double>(in[0].dim(-1));
}

std::vector<Sample> samples_matmul() {
  const auto pair = [](Shape a, Shape b) {
    return Sample{.inputs = {{a, DType::f32}, {b, DType::f32}}};
  };
  return {pair({3, 5}, {5, 4}),       pair({1, 1}, {1, 1}), pair({17, 33}, {33, 19}),
          pair({2, 3, 4}, {2, 4, 5}), pair({0, 3}, {3, 2}), pair({2, 0}, {0, 3})};
}

// --- linear
// ---------------------------------------------------------------------------------------

struct LinearAttrs {
  bool in_out = false;  // weight as [in,out]
  void fields(Fields& f) { f("in_out", in_out); }
};

bool has_bias(Inputs in) { return in.size() > 2 && in[2].defined(); }
bool has_codes(Inputs in) { return in.size() > 3 && in[3].defined(); }

Shape shape_of_codes(const Shape& weight) {
  using kernels::Bf16Codes;
  return {Bf16Codes::records(weight[0]), Bf16Codes{weight[1]}.record_bytes()};
}

void infer_linear(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  expect_float("linear", in[0]);
  expect_float("linear", in[1]);
  const bool in_out = attrs.as<LinearAttrs>().in_out;
  const Shape& w = in[1].shape();
  if (w.rank() != 2 || in[0].rank() < 1 || in[0].dim(-1) != w[in_out ? 0 : 1])
    fail(ErrorCode::kShapeMismatch, "linear: x {} does not fit weight {}", describe(in[0]),
         describe(in[1]));
  if (in[0].dtype() != in[1].dtype() && !mixes(in[0], in[1]))
    fail(ErrorCode::kInvalidArgument, "linear: x {} and weight {} differ in type; cast one of them",
         describe(in[0]), describe(in[1]));
  const std::int64_t n = w[in_out ? 1 : 0];
  if (has_bias(in)) expect_shape("linear", "bias", in[2], {n});
  if (has_codes(in)) {
    expect_shape("linear", "codes", in[3], shape_of_codes(w));
    if (in_out || in[1].dtype() != DType::bf16 || in[3].dtype() != DType::u8)
      fail(ErrorCode::kInvalidArgument, "linear: {} are no codes of weight {}", describe(in[3]),
           describe(in[1]));
  }
  Shape shape = in[0].shape();
  shape[shape.rank() - 1] = n;
  out.push_back({shape, in[0].dtype()});
}

kernels::MatmulArgs linear_args(const KernelCall& c) {
  const bool in_out = c.attrs->as<LinearAttrs>().in_out;
  return {.a = as_rows(c.in[0]),
          .b = in_out ? c.in[1] : flipped(c.in[1]),
          .c = as_rows(c.out[0]),
          .bias = c.in[2],
          .after = c.after,
          .b_codes = c.in[3],
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}

std::int64_t workspace_linear(const KernelCall& c) noexcept {
  return kernels::matmul_workspace(linear_args(c));
}
void cpu_linear(const KernelCall& c) noexcept { kernels::matmul(linear_args(c)); }

Outputs composite_linear(Inputs in, const Attrs& attrs) {
  const Tensor x = reshape(in[0], {-1, in[0].dim(-1)});
  const Tensor w = mixes(in[0], in[1]) ? cast(in[1], DType::f32) : in[1];
  Tensor y = matmul(x, attrs.as<LinearAttrs>().in_out ? w : transpose(w));
  if (has_bias(in)) y = add(y, in[2]);
  Shape shape = in[0].shape();
  shape[shape.rank() - 1] = y.dim(1);
  Outputs out;
  out.push_back(reshape(y, shape));
  return out;
}

void vjp_linear(const VjpCall& c, GradSink& sink) {
  const bool in_out = c.attrs.as<LinearAttrs>().in_out;
  const Tensor& dy = c.grad[0];
  if (sink.wants(0)) sink.add(0, in_out ? linear(dy, c.in[1]) : linear_in_out(dy, c.in[1], {}));
  add_weight_gradient(c, in_out, sink);
  add_bias_gradient(c, sink);
}

double flops_linear(Inputs in, Inputs out, const Attrs&) {
  return 2.0 * static_cast<double>(out[0].count()) * static_cast<double>(in[0].dim(-1));
}

/// Codes are read instead of the weight.
double bytes_linear(Inputs in, Inputs out, const Attrs&) {
  const std::size_t not_read = has_codes(in) ? in[1].bytes() : 0;
  return sum_of_bytes(in) + sum_of_bytes(out) - static_cast<double>(not_read);
}

std::vector<Sample> samples_of_linear(bool in_out) {
  const auto sample = [in_out](Shape x, std::int64_t n, bool bias) {
    const std::int64_t k = x.at(-1);
    Sample s{.inputs = {{x, DType::f32}, {in_out ? Shape{k, n} : Shape{n, k}, DType::f32}},
             .attrs = LinearAttrs{in_out}};
    if (bias) s.inputs.push_back({{n}, DType::f32});
    return s;
  };
  Sample mixed = sample({3, 40}, 33, true);  // f32 activations, bf16 weights
  mixed.adjust = [](std::vector<Tensor>& in) {
    if (in[0].dtype() == DType::f32) in[1] = cast(in[1], DType::bf16);
  };
  return {sample({2, 3, 5}, 7, true), sample({1, 1}, 1, true), sample({33, 17}, 48, false),
          sample({0, 4}, 3, true), mixed};
}
std::vector<Sample> samples_linear() { return samples_of_linear(false); }
std::vector<Sample> samples_linear_in_out() { return samples_of_linear(true); }

// --- matmul_acc_
// ----------------------------------------------------------------------------------

void infer_matmul_acc(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  if (in[1].rank() != 2 || in[2].rank() != 2 || in[1].dim(1) != in[2].dim(0) ||
      in[1].dtype() != in[2].dtype() || in[0].dtype() != wide(in[1].dtype()))
    fail(ErrorCode::kShapeMismatch, "matmul_acc_: {} and {} do not fit the accumulator {}",
         describe(in[1]), describe(in[2]), describe(in[0]));
  expect_shape("matmul_acc_", "accumulator", in[0], {in[1].dim(0), in[2].dim(1)});
}

kernels::MatmulArgs acc_args(const KernelCall& c) {
  return {.a = c.in[1],
          .b = c.in[2],
          .c = c.in[0],
          .accumulate = true,
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}
std::int64_t workspace_matmul_acc(const KernelCall& c) noexcept {
  return kernels::matmul_workspace(acc_args(c));
}
void cpu_matmul_acc(const KernelCall& c) noexcept { kernels::matmul(acc_args(c)); }

double flops_matmul_acc(Inputs in, Inputs, const Attrs&) {
  return 2.0 * static_cast<double>(in[0].count()) * static_cast<double>(in[1].dim(1));
}

std::vector<Sample> samples_matmul_acc() {
  return {{.inputs = {{{5, 7}, DType::f32}, {{5, 9}, DType::f32}, {{9, 7}, DType::f32}},
           .mixed_types = false},
          {.inputs = {{{1, 1}, DType::f32}, {{1, 0}, DType::f32}, {{0, 1}, DType::f32}},
           .mixed_types = false}};
}

}  // namespace

namespace defs {
extern const OpDef matmul{.name = "matmul",
                          .traits = kMatmulLike,
                          .layout = Layout::any,
                          .infer = infer_matmul,
                          .cpu = cpu_matmul,
                          .workspace = workspace_matmul,
                          .vjp = vjp_matmul,
                          .saves_outputs = 0,
                          .flops = flops_matmul,
                          .samples = samples_matmul};
// Two names, one definition: the weight's layout is the attribute.
extern const OpDef linear{.name = "linear",
                          .traits = kMatmulLike | kTileAfter,
                          .infer = infer_linear,
                          .cpu = cpu_linear,
                          .workspace = workspace_linear,
                          .composite = composite_linear,
                          .vjp = vjp_linear,
                          .saves_inputs = 3,
                          .saves_outputs = 0,
                          .flops = flops_linear,
                          .bytes = bytes_linear,
                          .samples = samples_linear};
extern const OpDef linear_in_out{.name = "linear_in_out",
                                 .traits = kMatmulLike | kTileAfter,
                                 .infer = infer_linear,
                                 .cpu = cpu_linear,
                                 .workspace = workspace_linear,
                                 .composite = composite_linear,
                                 .vjp = vjp_linear,
                                 .saves_inputs = 3,
                                 .saves_outputs = 0,
                                 .flops = flops_linear,
                                 .samples = samples_linear_in_out};
extern const OpDef matmul_acc_{.name = "matmul_acc_",
                               .traits = kInPlace | kMatmulLike,
                               .writes = 1,
                               .layout = Layout::any,
                               .infer = infer_matmul_acc,
                               .cpu = cpu_matmul_acc,
                               .workspace = workspace_matmul_acc,
                               .flops = flops_matmul_acc,
                               .samples = samples_matmul_acc};
}  // namespace defs

Tensor matmul(const Tensor& a, const Tensor& b) {
  return apply_one(defs::matmul, std::array{a, b});
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return apply_one(defs::linear, std::array{x, weight, bias}, LinearAttrs{false});
}

Tensor linear_coded(const Tensor& x, const Tensor& weight, const Tensor& codes,
                    const Tensor& bias) {
  if (!codes.defined()) return linear(x, weight, bias);
  return apply_one(defs::linear, std::array{x, weight, bias, codes}, LinearAttrs{false});
}

Tensor bf16_codes(const Tensor& weight) {
  if (!kernels::reads_bf16_codes() || weight.dtype() != DType::bf16 || weight.rank() != 2 ||
      weight.stride(1) != 1 || weight.count() == 0 || !weight.has_data())
    return {};
  const Tensor codes = Tensor::empty(shape_of_codes(weight.shape()), DType::u8);
  return kernels::encode_bf16(weight.view(), codes.view().data) ? codes : Tensor();
}

Tensor linear_in_out(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return apply_one(defs::linear_in_out, std::array{x, weight, bias}, LinearAttrs{true});
}

void matmul_acc_(const Tensor& acc, const Tensor& a, const Tensor& b) {
  ops::apply(defs::matmul_acc_, std::array{acc, a, b});
}

}  // namespace lathe::ops
