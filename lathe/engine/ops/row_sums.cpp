// Sums of rows by id: the gradient of a table of which a step reads few rows. All of it is ops, the
// map from ids to rows too, so that a step can be captured.
#include "lathe/engine/kernels/embedding.h"
#include "lathe/engine/kernels/row_places.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

void expect_rows(const char* subject, const Tensor& ids, const Tensor& used) {
  expect_i32(subject, ids);
  expect_i32(subject, used);
  if (ids.rank() != 1) bad_shape(subject, "the ids of rows [R]", ids);
  expect_shape(subject, "rows in use", used, {1});
}

// --- rows_acc_(sums, place, ids of rows, used, rows, ids)
// -----------------------------------------

void infer_acc(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  expect_rows("rows_acc_", in[2], in[3]);
  expect_i32("rows_acc_", in[1]);
  expect_i32("rows_acc_", in[5]);
  if (in[0].rank() != 2 || in[1].rank() != 1) bad_shape("rows_acc_", "sums [R,C]", in[0]);
  expect_shape("rows_acc_", "ids of rows", in[2], {in[0].dim(0)});
  Shape shape = in[5].shape();
  shape.push_back(in[0].dim(1));
  expect_shape("rows_acc_", "rows", in[4], shape);
}

void check_acc(Inputs in) {
  check_ids("rows_acc_", in[5], in[1].dim(0));
  if (!in[3].has_data() || in[0].dim(0) >= in[1].dim(0)) return;  // room for every id
  const std::int64_t most = *in[3].data<std::int32_t>() + in[5].count();
  if (most > in[0].dim(0))
    fail(ErrorCode::kInvalidArgument, "rows_acc_: {} rows might be needed, there are {}", most,
         in[0].dim(0));
}

std::int64_t workspace_acc(const KernelCall& c) noexcept {
  return c.in[5].count() * static_cast<std::int64_t>(sizeof(std::int32_t));
}

void cpu_acc(const KernelCall& c) noexcept {
  View at = as_vector(c.in[5]);
  at.data = c.workspace;
  kernels::place_rows({.ids = as_vector(c.in[5]),
                       .place = c.in[1],
                       .row_ids = c.in[2],
                       .used = c.in[3],
                       .sums = c.in[0],
                       .at = at});
  kernels::embedding_acc({.ids = at, .dy = as_rows(c.in[4]), .dtable_acc = c.in[0]});
}

std::vector<Sample> samples_acc() {
  std::vector<Sample> samples;
  for (const std::int64_t n : {5, 0})
    samples.push_back({.inputs = {{{4, 7}, DType::f32},
                                  {{4}, DType::i32},
                                  {{4}, DType::i32},
                                  {{1}, DType::i32},
                                  {{n, 7}, DType::f32},
                                  {{n}, DType::i32}},
                       .integer_below = 4,
                       .mixed_types = false,
                       .adjust = [](std::vector<Tensor>& in) {  // id 2 has row 0 already
                         auto* place = in[1].data<std::int32_t>();
                         for (int i = 0; i < 4; ++i) place[i] = i == 2 ? 0 : -1;
                         for (int i = 0; i < 4; ++i) in[2].data<std::int32_t>()[i] = i == 0 ? 2 : 0;
                         *in[3].data<std::int32_t>() = 1;
                       }});
  return samples;
}

// --- add_rows_(dense, sums, ids of rows, used)
// ----------------------------------------------------

void infer_add(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  expect_rows("add_rows_", in[2], in[3]);
  if (in[0].rank() != 2) bad_shape("add_rows_", "a table [V,C]", in[0]);
  expect_shape("add_rows_", "sums", in[1], {in[2].dim(0), in[0].dim(1)});
}

void cpu_add(const KernelCall& c) noexcept {
  View ids = c.in[2], sums = c.in[1];
  ids.dims[0] = sums.dims[0] = *c.in[3].as<std::int32_t>();
  kernels::embedding_acc({.ids = ids, .dy = sums, .dtable_acc = c.in[0]});
}

std::vector<Sample> samples_add() {
  return {
      {.inputs = {{{6, 7}, DType::f32}, {{4, 7}, DType::f32}, {{4}, DType::i32}, {{1}, DType::i32}},
       .integer_below = 6,
       .mixed_types = false,
       .adjust = [](std::vector<Tensor>& in) { *in[3].data<std::int32_t>() = 3; }}};
}

// --- clear_rows_(place, ids of rows, used)
// --------------------------------------------------------

void infer_clear(Inputs in, const Attrs&, std::vector<TensorSpec>&) {
  expect_i32("clear_rows_", in[0]);
  expect_rows("clear_rows_", in[1], in[2]);
}

void cpu_clear(const KernelCall& c) noexcept {
  kernels::forget_rows({.place = c.in[0], .row_ids = c.in[1], .used = c.in[2]});
}

std::vector<Sample> samples_clear() {
  return {{.inputs = {{{4}, DType::i32}, {{4}, DType::i32}, {{1}, DType::i32}},
           .integer_below = 4,
           .differentiable = 0,
           .mixed_types = false,
           .adjust = [](std::vector<Tensor>& in) { *in[2].data<std::int32_t>() = 3; }}};
}

}  // namespace

namespace defs {
extern const OpDef rows_acc_{.name = "rows_acc_",
                             .traits = kInPlace,
                             .writes = 4,
                             .infer = infer_acc,
                             .check = check_acc,
                             .cpu = cpu_acc,
                             .workspace = workspace_acc,
                             .samples = samples_acc};
extern const OpDef add_rows_{.name = "add_rows_",
                             .traits = kInPlace,
                             .writes = 1,
                             .infer = infer_add,
                             .cpu = cpu_add,
                             .samples = samples_add};
extern const OpDef clear_rows_{.name = "clear_rows_",
                               .traits = kInPlace,
                               .writes = 3,
                               .infer = infer_clear,
                               .cpu = cpu_clear,
                               .samples = samples_clear};
}  // namespace defs

void rows_acc_(const RowSums& to, const Tensor& rows, const Tensor& ids) {
  ops::apply(defs::rows_acc_, std::array{to.sums, to.place, to.ids, to.used, rows, ids});
}

void add_rows_(const Tensor& dense, const RowSums& from) {
  ops::apply(defs::add_rows_, std::array{dense, from.sums, from.ids, from.used});
}

void clear_rows_(const RowSums& rows) {
  ops::apply(defs::clear_rows_, std::array{rows.place, rows.ids, rows.used});
}

}  // namespace lathe::ops
