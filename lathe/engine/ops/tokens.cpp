// Embedding rows and rotary positions.
#include "lathe/engine/kernels/embedding.h"
#include "lathe/engine/kernels/rope.h"
#include "lathe/engine/ops/attr_types.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

// --- embedding(table, ids)
// ------------------------------------------------------------------------

void infer_embedding(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) {
  expect_float("embedding", in[0]);
  expect_i32("embedding", in[1]);
  if (in[0].rank() != 2) bad_shape("embedding", "a table [V,C]", in[0]);
  Shape shape = in[1].shape();
  shape.push_back(in[0].dim(1));
  const DType type = in[0].dtype() == DType::f64 ? DType::f64 : attrs.as<DTypeAttrs>().dtype;
  out.push_back({shape, type});
}

void check_embedding(Inputs in) { check_ids("embedding", in[1], in[0].dim(0)); }

void cpu_embedding(const KernelCall& c) noexcept {
  kernels::embedding({.table = c.in[0], .ids = as_vector(c.in[1]), .out = as_rows(c.out[0])});
}

void vjp_embedding(const VjpCall& c, GradSink& sink) {
  if (sink.add_rows(0, c.grad[0], c.in[1])) return;
  Tensor acc = sink.accumulator(0);
  const bool owned = sink.wants(0) && !acc.defined();
  if (owned) acc = full(c.in[0].shape(), 0, wide(c.in[0].dtype()), c.in[0].device());
  if (!acc.defined()) return;
  embedding_acc_(acc, c.grad[0], c.in[1]);
  if (owned) sink.add(0, acc);
}

std::vector<Sample> samples_embedding() {
  return {{.inputs = {{{5, 7}, DType::f32}, {{2, 3}, DType::i32}},
           .attrs = DTypeAttrs{DType::f32},
           .integer_below = 5,
           .differentiable = 1},
          {.inputs = {{{3, 16}, DType::f32}, {{0}, DType::i32}},
           .attrs = DTypeAttrs{DType::f32},
           .differentiable = 1}};
}

// --- embedding_acc_(acc, dy, ids)
// -----------------------------------------------------------------

void infer_embedding_acc(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  expect_i32("embedding_acc_", in[2]);
  Shape shape = in[2].shape();
  shape.push_back(in[0].dim(1));
  expect_shape("embedding_acc_", "dy", in[1], shape);
}

void check_embedding_acc(Inputs in) { check_ids("embedding_acc_", in[2], in[0].dim(0)); }

void cpu_embedding_acc(const KernelCall& c) noexcept {
  kernels::embedding_acc(
      {.ids = as_vector(c.in[2]), .dy = as_rows(c.in[1]), .dtable_acc = c.in[0]});
}

std::vector<Sample> samples_embedding_acc() {
  return {{.inputs = {{{5, 7}, DType::f32}, {{2, 3, 7}, DType::f32}, {{2, 3}, DType::i32}},
           .integer_below = 5,
           .mixed_types = false}};
}

// --- rope(x, cos, sin, positions)
// -----------------------------------------------------------------

struct RopeAttrs {
  bool interleaved = false, inverse = false;
  void fields(Fields& f) {
    f("interleaved", interleaved);
    f("inverse", inverse);
  }
};

void infer_rope(Inputs in, const Attrs&, std::vector<TensorSpec>& out) {
  expect_float("rope", in[0]);
  expect_i32("rope", in[3]);
  if (in[0].rank() != 4) bad_shape("rope", "[B,T,H,D]", in[0]);
  if (in[1].rank() != 2 || in[1].shape() != in[2].shape() || 2 * in[1].dim(1) > in[0].dim(3))
    bad_shape("rope", "tables [P,R/2] with R up to the head size", in[1]);
  expect_shape("rope", "positions", in[3], {in[0].dim(0), in[0].dim(1)});
  out.push_back({in[0].shape(), in[0].dtype()});
}

void check_rope(Inputs in) { check_ids("rope", in[3], in[1].dim(0)); }

void cpu_rope(const KernelCall& c) noexcept {
  const auto& a = c.attrs->as<RopeAttrs>();
  kernels::rope({.x = c.in[0],
                 .cosine = c.in[1],
                 .sine = c.in[2],
                 .positions = c.in[3],
                 .y = c.out[0],
                 .interleaved = a.interleaved,
                 .inverse = a.inverse});
}

std::vector<Sample> samples_rope() {
  std::vector<Sample> samples;
  for (const bool interleaved : {false, true}) {
    samples.push_back({.inputs = {{{2, 3, 2, 6}, DType::f32},
                                  {{4, 3}, DType::f32},
                                  {{4, 3}, DType::f32},
                                  {{2, 3}, DType::i32}},
                       .attrs = RopeAttrs{interleaved, false},
                       .integer_below = 4,
                       .differentiable = 1,
                       .mixed_types = false});
    samples.push_back({.inputs = {{{1, 2, 1, 8}, DType::f32},
                                  {{4, 2}, DType::f32},
                                  {{4, 2}, DType::f32},
                                  {{1, 2}, DType::i32}},
                       .attrs = RopeAttrs{interleaved, true},
                       .integer_below = 4,
                       .differentiable = 1,
                       .mixed_types = false});
  }
  return samples;
}

void vjp_rope(const VjpCall& c, GradSink& sink);

/// A row of both tables for each position.
double bytes_rope(Inputs in, Inputs out, const Attrs&) {
  const double angles = 2.0 * 4.0 * static_cast<double>(in[1].dim(1) * in[3].count());
  return sum_of_bytes(in.first(1)) + sum_of_bytes(in.subspan(3)) + sum_of_bytes(out) + angles;
}

}  // namespace

namespace defs {
extern const OpDef embedding{.name = "embedding",
                             .infer = infer_embedding,
                             .check = check_embedding,
                             .cpu = cpu_embedding,
                             .vjp = vjp_embedding,
                             .saves_inputs = 2,
                             .saves_outputs = 0,
                             .bytes = bytes_of_rows,
                             .samples = samples_embedding};
extern const OpDef embedding_acc_{.name = "embedding_acc_",
                                  .traits = kInPlace,
                                  .writes = 1,
                                  .infer = infer_embedding_acc,
                                  .check = check_embedding_acc,
                                  .cpu = cpu_embedding_acc,
                                  .samples = samples_embedding_acc};
extern const OpDef rope{.name = "rope",
                        .layout = Layout::unit_last,
                        .infer = infer_rope,
                        .check = check_rope,
                        .cpu = cpu_rope,
                        .vjp = vjp_rope,
                        .saves_inputs = 0b1110,
                        .saves_outputs = 0,
                        .bytes = bytes_rope,
                        .samples = samples_rope};
}  // namespace defs

namespace {
/// A rotation's gradient is the rotation back.
void vjp_rope(const VjpCall& c, GradSink& sink) {
  RopeAttrs back = c.attrs.as<RopeAttrs>();
  back.inverse = !back.inverse;
  sink.add(0, apply_one(defs::rope, std::array{c.grad[0], c.in[1], c.in[2], c.in[3]}, back));
}
}  // namespace

Tensor embedding(const Tensor& table, const Tensor& ids, DType out) {
  return apply_one(defs::embedding, std::array{table, ids}, DTypeAttrs{out});
}

void embedding_acc_(const Tensor& acc, const Tensor& dy, const Tensor& ids) {
  ops::apply(defs::embedding_acc_, std::array{acc, dy, ids});
}

Tensor rope(const Tensor& x, const RopeTable& table, const Tensor& positions, bool interleaved) {
  return apply_one(defs::rope, std::array{x, table.cos, table.sin, positions},
                   RopeAttrs{interleaved, false});
}

}  // namespace lathe::ops
