// Causal, grouped-query, document-masked attention; the order of sums is in kernels/attention.h.
#include "lathe/engine/kernels/attention.h"

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

struct AttentionAttrs {
  double scale = 1, soft_cap = 0;
  std::int64_t window = 0, query_offset = 0;
  void fields(Fields& f) {
    f("scale", scale);
    f("soft_cap", soft_cap);
    f("window", window);
    f("query_offset", query_offset);
  }
};

void check(const char* subject, Inputs in, const AttentionAttrs& a) {
  for (int i = 0; i < 3; ++i) {
    expect_float(subject, in[static_cast<std::size_t>(i)]);
    if (in[static_cast<std::size_t>(i)].rank() != 4)
      bad_shape(subject, "[B,T,H,D]", in[static_cast<std::size_t>(i)]);
  }
  const Tensor &q = in[0], &k = in[1], &v = in[2];
  if (k.shape() != v.shape() || q.dim(0) != k.dim(0) || q.dim(3) != k.dim(3) ||
      (k.dim(2) != 0 && q.dim(2) % k.dim(2) != 0))
    fail(ErrorCode::kShapeMismatch, "{}: q {}, k {} and v {} do not fit", subject, describe(q),
         describe(k), describe(v));
  if (q.dim(3) < 1 || q.dim(3) > kernels::kMaxHeadSize)
    fail(ErrorCode::kUnsupported, "{}: head size {} is outside 1 to {}", subject, q.dim(3),
         kernels::kMaxHeadSize);
  expect_i32(subject, in[3]);
  expect_shape(subject, "document_start", in[3], {q.dim(0), q.dim(1)});
  if (a.query_offset < 0 || a.query_offset + q.dim(1) > k.dim(1))
    fail(ErrorCode::kShapeMismatch, "{}: {} queries from key {} on do not fit {} keys", subject,
         q.dim(1), a.query_offset, k.dim(1));
}

void infer_attention(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  check("attention", in, attrs.as<AttentionAttrs>());
  const Tensor& q = in[0];
  out.push_back({q.shape(), q.dtype()});
  out.push_back({{q.dim(0), q.dim(2), q.dim(1)}, wide(q.dtype())});
}

kernels::AttentionArgs forward_args(const KernelCall& c, const View& out, const View& lse) {
  const auto& a = c.attrs->as<AttentionAttrs>();
  return {.q = c.in[0],
          .k = c.in[1],
          .v = c.in[2],
          .document_start = c.in[3],
          .query_offsets = {},
          .out = out,
          .lse = lse,
          .scale = static_cast<float>(a.scale),
          .soft_cap = static_cast<float>(a.soft_cap),
          .window = a.window,
          .query_offset = a.query_offset,
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}

std::int64_t workspace_attention(const KernelCall& c) noexcept {
  return kernels::attention_workspace(forward_args(c, c.out[0], c.out[1]));
}
void cpu_attention(const KernelCall& c) noexcept {
  kernels::attention(forward_args(c, c.out[0], c.out[1]));
}

/// The meaning with a stored [T,T] matrix: for the laws and for second order.
Outputs composite_attention(Inputs in, const Attrs& attrs) {
  const auto& a = attrs.as<AttentionAttrs>();
  const std::int64_t b = in[0].dim(0), t = in[0].dim(1), h = in[0].dim(2), d = in[0].dim(3);
  const std::int64_t keys = in[1].dim(1), kv = in[1].dim(2);
  const DType type = wide(in[0].dtype());
  std::vector<float> blocked(static_cast<std::size_t>(b * t * keys));
  const auto* start = in[3].data<std::int32_t>();
  for (std::int64_t row = 0; row < b * t; ++row) {
    const std::int64_t p = a.query_offset + row % t;
    for (std::int64_t j = 0; j < keys; ++j) {
      const bool seen = j >= start[row] && j <= p && (a.window == 0 || p - j < a.window);
      blocked[static_cast<std::size_t>(row * keys + j)] = seen ? 0.0f : -1e30f;
    }
  }
  const Tensor mask = cast(Tensor::from(blocked, {b, 1, t, keys}), type);
  const auto per_head = [&](const Tensor& x, std::int64_t heads, std::int64_t length) {
    Tensor y = permute(cast(x, type), {0, 2, 1, 3});  // [B,heads,T,D]
    if (heads != h) {
      y = reshape(y, {b, heads, 1, length, d});
      y = broadcast_to(y, {b, heads, h / heads, length, d});
    }
    return reshape(y, {b * h, length, d});
  };
  const Tensor q = per_head(in[0], h, t), k = per_head(in[1], kv, keys),
               v = per_head(in[2], kv, keys);
  Tensor scores = scale(matmul(q, transpose(k)), a.scale);  // [B*H,T,Tk]
  if (a.soft_cap > 0) scores = scale(tanh(scale(scores, 1 / a.soft_cap)), a.soft_cap);
  scores = reshape(add(reshape(scores, {b, h, t, keys}), mask), {b * h, t, keys});
  const Tensor top = max(scores, -1, true);
  const Tensor e = exp(sub(scores, top));
  const Tensor total = sum(e, -1, true);
  const Tensor mixed = reshape(matmul(div(e, total), v), {b, h, t, d});
  Outputs out;
  out.push_back(cast(contiguous(permute(mixed, {0, 2, 1, 3})), in[0].dtype()));
  out.push_back(reshape(add(log(total), top), {b, h, t}));
  return out;
}

void vjp_attention(const VjpCall& c, GradSink& sink) {
  Outputs d = attention_backward(c.in, c.out[0], c.out[1], c.grad[0], c.attrs);
  for (int i = 0; i < 3; ++i) sink.add(i, d[i]);
}

double flops_attention(Inputs in, Inputs, const Attrs&) {
  // Two products over the causal half.
  return 2.0 * static_cast<double>(in[0].count()) * static_cast<double>(in[1].dim(1));
}
double flops_attention_backward(Inputs in, Inputs, const Attrs&) {
  return 5.0 * static_cast<double>(in[0].count()) * static_cast<double>(in[1].dim(1));
}

// --- backward: (q, k, v, document_start, out, lse, dout) -> dq, dk, dv
// -----------------------------

void infer_backward(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  check("attention_backward", in, attrs.as<AttentionAttrs>());
  expect_shape("attention_backward", "dout", in[6], in[0].shape());
  for (int i = 0; i < 3; ++i) {
    const Tensor& t = in[static_cast<std::size_t>(i)];
    out.push_back({t.shape(), t.dtype()});
  }
}

kernels::AttentionBackwardArgs backward_args(const KernelCall& c) {
  kernels::AttentionBackwardArgs args{forward_args(c, c.in[4], c.in[5]), c.in[6], c.out[0],
                                      c.out[1], c.out[2]};
  return args;
}
std::int64_t workspace_backward(const KernelCall& c) noexcept {
  return kernels::attention_backward_workspace(backward_args(c));
}
void cpu_backward(const KernelCall& c) noexcept { kernels::attention_backward(backward_args(c)); }

std::vector<Sample> samples_attention() {
  std::vector<Sample> samples;
  const auto add_case = [&](std::int64_t b, std::int64_t t, std::int64_t h, std::int64_t k,
                            std::int64_t d, AttentionAttrs attrs) {
    Sample s{.inputs = {{{b, t, h, d}, DType::f32},
                        {{b, t, k, d}, DType::f32},
                        {{b, t, k, d}, DType::f32},
                        {{b, t}, DType::i32}},
             .attrs = attrs,
             .low = -1.5,
             .high = 1.5,
             .differentiable = 7};
    s.adjust = [t](std::vector<Tensor>& in) {  // two documents a row
      auto* start = in[3].data<std::int32_t>();
      for (std::int64_t i = 0; i < in[3].count(); ++i)
        start[i] = static_cast<std::int32_t>(i % t < t / 3 ? 0 : t / 3);
    };
    samples.push_back(std::move(s));
  };
  add_case(2, 7, 4, 2, 5, {.scale = 0.375});
  add_case(1, 70, 3, 1, 8, {.scale = 0.3125});
  add_case(1, 9, 2, 2, 4, {.scale = 0.5, .soft_cap = 3.0, .window = 4});
  add_case(1, 1, 1, 1, 1, {});
  return samples;
}

/// The forward inputs, then out, lse and dout. lse lies above every score, as a real one does.
std::vector<Sample> samples_backward() {
  std::vector<Sample> samples = samples_attention();
  for (Sample& s : samples) {
    const Shape q = s.inputs[0].shape;
    s.inputs.push_back({q, DType::f32});
    s.inputs.push_back({{q[0], q[2], q[1]}, DType::f32});
    s.inputs.push_back({q, DType::f32});
    s.mixed_types = false;
    s.adjust = [adjust = s.adjust](std::vector<Tensor>& in) {
      adjust(in);
      in[5] = add(in[5], full({}, 20.0, in[5].dtype()));
    };
  }
  return samples;
}

}  // namespace

namespace defs {
extern const OpDef attention{.name = "attention",
                             .layout = Layout::unit_last,
                             .infer = infer_attention,
                             .cpu = cpu_attention,
                             .workspace = workspace_attention,
                             .composite = composite_attention,
                             .vjp = vjp_attention,
                             .differentiable_outputs = 1,
                             .flops = flops_attention,
                             .samples = samples_attention};
extern const OpDef attention_backward{.name = "attention_backward",
                                      .layout = Layout::unit_last,
                                      .infer = infer_backward,
                                      .cpu = cpu_backward,
                                      .workspace = workspace_backward,
                                      .flops = flops_attention_backward,
                                      .samples = samples_backward};
}  // namespace defs

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& document_start,
                 const AttentionOptions& o) {
  // Kernels take both as f32; so does the meaning.
  const double scale = static_cast<float>(o.scale), cap = static_cast<float>(o.soft_cap);
  return apply_one(defs::attention, std::array{q, k, v, document_start},
                   AttentionAttrs{scale, cap, o.window, o.query_offset});
}

Outputs attention_backward(Inputs in, const Tensor& out, const Tensor& lse, const Tensor& dout,
                           const Attrs& attrs) {
  return ops::apply(defs::attention_backward,
                    std::array{in[0], in[1], in[2], in[3], out, lse, dout}, attrs);
}

}  // namespace lathe::ops
