// Products and rows of weights that stay quantised blocks (docs/decisions/0012). The weights have
// no gradient; the activations have one in exact arithmetic.
#include <array>

#include "lathe/engine/kernels/linear_quantised.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

using kernels::LinearQuantisedArgs;
using kernels::QuantType;

struct QuantAttrs {
  QuantType type = QuantType::q8_0;
  bool exact = false;
  DType dtype = DType::f32;  // of embedding rows
  void fields(Fields& f) {
    std::string text(kernels::name(type)), out(lathe::name(dtype));
    f("type", text);
    f("exact", exact);
    f("dtype", out);
  }
};

/// Elements of a row. Throws unless the blocks are a matrix of whole blocks.
std::int64_t width_of(const char* subject, const Tensor& blocks, QuantType type) {
  if (!blocks.defined() || blocks.dtype() != DType::u8 || blocks.rank() != 2)
    bad_shape(subject, "blocks as u8 [N,row_bytes]", blocks);
  if (blocks.dim(1) % kernels::block_bytes(type) != 0)
    fail(ErrorCode::kShapeMismatch, "{}: rows of {} bytes are not whole {} blocks of {} bytes",
         subject, blocks.dim(1), kernels::name(type), kernels::block_bytes(type));
  return kernels::row_elements(type, blocks.dim(1));
}

void expect_last(const char* subject, const Tensor& x, std::int64_t width, QuantType type) {
  if (x.rank() < 1 || x.dim(-1) != width)
    fail(ErrorCode::kShapeMismatch, "{}: x {} does not fit {} rows of {} elements", subject,
         describe(x), kernels::name(type), width);
}

Shape with_last(const Tensor& x, std::int64_t n) {
  Shape shape = x.shape();
  shape[shape.rank() - 1] = n;
  return shape;
}

// --- linear_quantised(x, blocks, bias)
// ------------------------------------------------------------

void infer_linear(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  expect_float("linear_quantised", in[0]);
  const QuantType type = attrs.as<QuantAttrs>().type;
  expect_last("linear_quantised", in[0], width_of("linear_quantised", in[1], type), type);
  if (in[0].dtype() == DType::f16) bad_shape("linear_quantised", "x as f32 or bf16", in[0]);
  const std::int64_t n = in[1].dim(0);
  if (in.size() > 2 && in[2].defined()) expect_shape("linear_quantised", "bias", in[2], {n});
  out.push_back({with_last(in[0], n), in[0].dtype()});
}

LinearQuantisedArgs linear_args(const KernelCall& c) {
  const auto& attrs = c.attrs->as<QuantAttrs>();
  return {.x = as_rows(c.in[0]),
          .blocks = c.in[1],
          .y = as_rows(c.out[0]),
          .bias = c.in[2],
          .type = attrs.type,
          .exact = attrs.exact,
          .before = c.before,
          .after = c.after,
          .workspace = c.workspace,
          .workspace_bytes = c.workspace_bytes};
}

std::int64_t workspace_linear(const KernelCall& c) noexcept {
  return kernels::linear_quantised_workspace(linear_args(c));
}
void cpu_linear(const KernelCall& c) noexcept { kernels::linear_quantised(linear_args(c)); }

double flops_linear(Inputs in, Inputs out, const Attrs&) {
  return 2.0 * static_cast<double>(out[0].count()) * static_cast<double>(in[0].dim(-1));
}

void vjp_linear(const VjpCall& c, GradSink& sink) {
  if (sink.wants(0)) {
    const Tensor wide_dy = cast(c.grad[0], wide(c.grad[0].dtype()));
    const QuantAttrs& attrs = c.attrs.as<QuantAttrs>();
    sink.add(0, cast(linear_quantised_back(wide_dy, c.in[1], attrs.type), c.in[0].dtype()));
  }
  if (c.in.size() > 2 && sink.wants(2)) {
    const Tensor rows = reshape(c.grad[0], {-1, c.grad[0].dim(-1)});
    Tensor acc = sink.accumulator(2);
    const bool owned = !acc.defined();
    if (owned) acc = full(c.in[2].shape(), 0, wide(rows.dtype()), rows.device());
    sum_to_acc_(acc, rows);
    if (owned) sink.add(2, acc);
  }
}

/// Random bytes would be NaN scales now and then: the high byte of each f16 is brought near one,
/// by blocks of the type.
void calm_scales(QuantType type, Tensor& blocks) {
  if (blocks.count() == 0) return;
  const int size = kernels::block_bytes(type);
  std::vector<int> places;  // of f16 scales in a block
  switch (type) {
    case QuantType::q2_k:
      places = {80, 82};
      break;
    case QuantType::q3_k:
      places = {108};
      break;
    case QuantType::q6_k:
      places = {208};
      break;
    case QuantType::mxfp4:
      break;
    default:
      places = kernels::has_minimum(type) ? std::vector<int>{0, 2} : std::vector<int>{0};
  }
  auto* p = blocks.data<std::uint8_t>();
  for (std::int64_t at = 0; at < blocks.count(); at += size) {
    for (const int place : places)  // sign and two bits of exponent stay: 2^-15 to 2^-12
      p[at + place + 1] = static_cast<std::uint8_t>(p[at + place + 1] & 0x8F);
    if (type == QuantType::mxfp4) p[at] = static_cast<std::uint8_t>(118 + p[at] % 8);
  }
}

Sample sample_of(QuantType type, std::int64_t m, std::int64_t blocks, std::int64_t n, bool exact) {
  const std::int64_t k = blocks * kernels::block_elements(type);
  Sample s{.inputs = {{{m, k}, DType::f32},
                      {{n, kernels::row_bytes(type, k)}, DType::u8},
                      {{n}, DType::f32}},
           .attrs = QuantAttrs{.type = type, .exact = exact}};
  s.integer_below = 256;
  s.differentiable = exact ? 5 : 0;  // quantised activations are a staircase
  s.adjust = [type](std::vector<Tensor>& in) { calm_scales(type, in[1]); };
  return s;
}

std::vector<Sample> samples_linear() {
  std::vector<Sample> all;
  for (int i = 0; i < kernels::kQuantTypes; ++i) {
    const auto type = static_cast<QuantType>(i);
    all.push_back(sample_of(type, 1, 2, 35, false));
    all.push_back(sample_of(type, 13, 1, 64, false));
    all.push_back(sample_of(type, 7, 1, 21, true));
  }
  all.push_back(sample_of(QuantType::q8_0, 0, 1, 4, false));
  all.push_back(sample_of(QuantType::q8_0, 2, 0, 4, false));
  return all;
}

// --- linears_quantised(x, blocks, bias, blocks, bias, ..)
// ------------------------------------------

struct JoinedAttrs {
  std::array<QuantType, kernels::kMostJoined> types{};
  bool exact = false;
  void fields(Fields& f) {
    std::string text;
    for (const QuantType type : types)
      text += std::string(text.empty() ? "" : " ") + std::string(kernels::name(type));
    f("types", text);
    f("exact", exact);
  }
  QuantAttrs one(std::size_t i) const { return {.type = types[i], .exact = exact}; }
};

std::size_t joined(Inputs in) { return (in.size() - 1) / 2; }
std::array<Tensor, 3> inputs_of(Inputs in, std::size_t i) {
  return {in[0], in[1 + 2 * i], in[2 + 2 * i]};
}

void infer_joined(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  LATHE_CHECK(in.size() % 2 == 1 && joined(in) <= kernels::kMostJoined);
  for (std::size_t i = 0; i < joined(in); ++i)
    infer_linear(inputs_of(in, i), attrs.as<JoinedAttrs>().one(i), out);
}

struct JoinedArgs {
  std::array<LinearQuantisedArgs, kernels::kMostJoined> at{};
  std::size_t count = 0;
  std::int64_t workspace = 0;
};

/// Each product has a workspace of its own, one behind the other.
JoinedArgs joined_args(const KernelCall& c) {
  JoinedArgs all;
  const auto& attrs = c.attrs->as<JoinedAttrs>();
  for (; all.count < kernels::kMostJoined; ++all.count) {
    const std::size_t i = all.count;
    if (c.in[1 + 2 * i].rank == 0) break;
    LinearQuantisedArgs& args = all.at[i];
    args = {.x = as_rows(c.in[0]),
            .blocks = c.in[1 + 2 * i],
            .y = as_rows(c.out[i]),
            .bias = c.in[2 + 2 * i],
            .type = attrs.types[i],
            .exact = attrs.exact};
    args.workspace_bytes = (kernels::linear_quantised_workspace(args) + 63) / 64 * 64;
    args.workspace = static_cast<char*>(c.workspace) + all.workspace;
    all.workspace += args.workspace_bytes;
  }
  all.at[0].before = c.before;
  all.at[0].after = c.after;
  return all;
}

std::int64_t workspace_joined(const KernelCall& c) noexcept { return joined_args(c).workspace; }
void cpu_joined(const KernelCall& c) noexcept {
  const JoinedArgs all = joined_args(c);
  kernels::linears_quantised({all.at.data(), all.count});
}

Outputs composite_joined(Inputs in, const Attrs& attrs) {
  Outputs out;
  const auto& a = attrs.as<JoinedAttrs>();
  for (std::size_t i = 0; i < joined(in); ++i)
    out.push_back(linear_quantised(in[0], in[1 + 2 * i], a.types[i], in[2 + 2 * i], a.exact));
  return out;
}

double flops_joined(Inputs in, Inputs out, const Attrs&) {
  double outputs = 0;
  for (const Tensor& y : out) outputs += static_cast<double>(y.count());
  return 2.0 * outputs * static_cast<double>(in[0].dim(-1));
}

/// Two or three weights, of one token or of several, with and without bias.
std::vector<Sample> samples_joined() {
  std::vector<Sample> all;
  const auto add = [&all](std::vector<QuantType> types, std::int64_t m, bool exact) {
    Sample s{.inputs = {{{m, 256}, DType::f32}}};
    JoinedAttrs attrs{.exact = exact};
    for (std::size_t i = 0; i < types.size(); ++i) {
      const std::int64_t n = 20 + 30 * static_cast<std::int64_t>(i);
      attrs.types[i] = types[i];
      s.inputs.push_back({{n, kernels::row_bytes(types[i], 256)}, DType::u8});
      s.inputs.push_back({{n}, DType::f32});
    }
    s.attrs = attrs;
    s.integer_below = 256;
    s.differentiable = exact ? 1 : 0;
    s.adjust = [types](std::vector<Tensor>& in) {
      for (std::size_t i = 0; i < types.size(); ++i) calm_scales(types[i], in[1 + 2 * i]);
    };
    all.push_back(s);
  };
  using enum QuantType;
  add({q8_0, q8_0, q8_0}, 1, false);
  add({q4_k, q4_k, q6_k}, 1, false);
  add({q4_0, mxfp4}, 1, false);
  add({q5_0, q4_1}, 9, false);
  add({q8_0, q6_k}, 3, true);
  return all;
}

// --- linear_quantised_back(dy, blocks)
// ------------------------------------------------------------

void infer_back(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  const QuantType type = attrs.as<QuantAttrs>().type;
  const std::int64_t k = width_of("linear_quantised_back", in[1], type);
  if (!in[0].defined() || (in[0].dtype() != DType::f32 && in[0].dtype() != DType::f64))
    bad_shape("linear_quantised_back", "dy as f32", in[0]);
  expect_last("linear_quantised_back", in[0], in[1].dim(0), type);
  out.push_back({with_last(in[0], k), in[0].dtype()});
}

std::int64_t workspace_back(const KernelCall& c) noexcept {
  return kernels::linear_quantised_back_workspace(linear_args(c));
}
void cpu_back(const KernelCall& c) noexcept { kernels::linear_quantised_back(linear_args(c)); }

void vjp_back(const VjpCall& c, GradSink& sink) {
  const QuantType type = c.attrs.as<QuantAttrs>().type;
  if (sink.wants(0)) sink.add(0, linear_quantised(c.grad[0], c.in[1], type, {}, true));
}

std::vector<Sample> samples_back() {
  std::vector<Sample> all;
  for (const QuantType type : {QuantType::q4_1, QuantType::q6_k, QuantType::q8_0}) {
    Sample s = sample_of(type, 5, 1, 150, true);
    s.inputs = {{{5, 150}, DType::f32}, s.inputs[1]};
    s.differentiable = 1;
    s.mixed_types = false;
    all.push_back(s);
  }
  return all;
}

// --- embedding_quantised(blocks, ids)
// -------------------------------------------------------------

void infer_embedding(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  const QuantAttrs& a = attrs.as<QuantAttrs>();
  const std::int64_t width = width_of("embedding_quantised", in[0], a.type);
  expect_i32("embedding_quantised", in[1]);
  Shape shape = in[1].shape();
  shape.push_back(width);
  out.push_back({shape, a.dtype});
}

void check_embedding(Inputs in) { check_ids("embedding_quantised", in[1], in[0].dim(0)); }

void cpu_embedding(const KernelCall& c) noexcept {
  kernels::embedding_quantised({.blocks = c.in[0],
                                .ids = c.in[1],
                                .out = as_rows(c.out[0]),
                                .type = c.attrs->as<QuantAttrs>().type});
}

std::vector<Sample> samples_embedding() {
  std::vector<Sample> all;
  for (int i = 0; i < kernels::kQuantTypes; ++i) {
    const auto type = static_cast<QuantType>(i);
    const std::int64_t k = kernels::block_elements(type);
    Sample s{.inputs = {{{5, kernels::row_bytes(type, k)}, DType::u8}, {{2, 3}, DType::i32}},
             .attrs = QuantAttrs{.type = type}};
    s.differentiable = 0;
    s.integer_below = 256;
    s.adjust = [type](std::vector<Tensor>& in) {
      calm_scales(type, in[0]);
      auto* ids = in[1].data<std::int32_t>();
      for (std::int64_t n = 0; n < in[1].count(); ++n) ids[n] %= 5;
    };
    all.push_back(s);
  }
  return all;
}

}  // namespace

namespace defs {
extern const OpDef linear_quantised{.name = "linear_quantised",
                                    .traits = kMatmulLike | kRowsBefore | kTileAfter,
                                    .infer = infer_linear,
                                    .cpu = cpu_linear,
                                    .workspace = workspace_linear,
                                    .vjp = vjp_linear,
                                    .saves_inputs = 2,
                                    .saves_outputs = 0,
                                    .flops = flops_linear,
                                    .samples = samples_linear};
extern const OpDef linears_quantised{.name = "linears_quantised",
                                     .traits = kMatmulLike | kRowsBefore | kTileAfter,
                                     .infer = infer_joined,
                                     .cpu = cpu_joined,
                                     .workspace = workspace_joined,
                                     .composite = composite_joined,
                                     .flops = flops_joined,
                                     .samples = samples_joined};
extern const OpDef linear_quantised_back{.name = "linear_quantised_back",
                                         .traits = kMatmulLike,
                                         .infer = infer_back,
                                         .cpu = cpu_back,
                                         .workspace = workspace_back,
                                         .vjp = vjp_back,
                                         .saves_inputs = 2,
                                         .saves_outputs = 0,
                                         .flops = flops_linear,
                                         .samples = samples_back};
extern const OpDef embedding_quantised{.name = "embedding_quantised",
                                       .infer = infer_embedding,
                                       .check = check_embedding,
                                       .cpu = cpu_embedding,
                                       .bytes = bytes_of_rows,
                                       .samples = samples_embedding};
}  // namespace defs

Tensor linear_quantised(const Tensor& x, const Tensor& blocks, QuantType type, const Tensor& bias,
                        bool exact) {
  return apply_one(defs::linear_quantised, std::array{x, blocks, bias},
                   QuantAttrs{.type = type, .exact = exact});
}

Outputs linears_quantised(const Tensor& x, std::span<const QuantisedWeight> weights, bool exact) {
  LATHE_CHECK(!weights.empty() && weights.size() <= kernels::kMostJoined);
  std::array<Tensor, 1 + 2 * kernels::kMostJoined> in{x};
  JoinedAttrs attrs{.exact = exact};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    in[1 + 2 * i] = weights[i].blocks;
    in[2 + 2 * i] = weights[i].bias;
    attrs.types[i] = weights[i].type;
  }
  return apply(defs::linears_quantised, Inputs(in).first(1 + 2 * weights.size()), attrs);
}

Tensor linear_quantised_back(const Tensor& dy, const Tensor& blocks, QuantType type) {
  return apply_one(defs::linear_quantised_back, std::array{dy, blocks},
                   QuantAttrs{.type = type, .exact = true});
}

Tensor embedding_quantised(const Tensor& blocks, QuantType type, const Tensor& ids, DType out) {
  return apply_one(defs::embedding_quantised, std::array{blocks, ids},
                   QuantAttrs{.type = type, .dtype = out});
}

}  // namespace lathe::ops
