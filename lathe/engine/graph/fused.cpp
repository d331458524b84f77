#include "lathe/engine/graph/fused.h"

#include <algorithm>

#include "lathe/engine/ops/infer.h"

namespace lathe::graph {
namespace {

/// An op without demands of its own, of this thread's instruction set.
bool is_plain(const Graph& graph, const Node& node) {
  const ops::OpDef& def = *node.def;
  return node.parts.empty() && !def.is(ops::kInPlace) && def.cpu != nullptr &&
         def.workspace == nullptr && def.check == nullptr && !node.out.empty() &&
         ops::isa_of(def, shapes_of(graph, node)) == kernels::isa();
}

std::int64_t columns_of(const Value& v) { return v.shape.rank() == 0 ? 1 : v.shape.at(-1); }

/// Whether all inputs and outputs are dense and have the shape of output 0.
bool has_one_shape(const Graph& graph, const Node& node) {
  const Value& y = graph.value(node.out[0]);
  bool alike = y.shape.rank() > 0;
  each_value(node, [&](int v, bool) {
    alike = alike && graph.value(v).shape == y.shape && graph.value(v).contiguous();
  });
  return alike;
}

View cut(View v, bool matrix, const kernels::OutputTile& tile) {
  const std::int64_t at = matrix ? tile.row * v.strides[0] + tile.column : tile.row;
  v.data = v.as<std::byte>() + at * static_cast<std::int64_t>(size_of(v.dtype));
  v.dims[0] = tile.rows;
  if (matrix) v.dims[1] = tile.columns;
  return v;
}

}  // namespace

bool same_rows(const Value& a, const Value& b) {
  return a.contiguous() && b.contiguous() && a.count() == b.count() && a.dtype == b.dtype &&
         columns_of(a) == columns_of(b);
}

bool makes_rows(const Graph& graph, const Node& node) {
  if (!is_plain(graph, node)) return false;
  if (node.def->is(ops::kElementwise)) return has_one_shape(graph, node);
  if (!node.def->is(ops::kNormalisation)) return false;
  const Value &x = graph.value(node.in[0]), &y = graph.value(node.out[0]);
  if (!(x.shape == y.shape) || !x.contiguous() || !y.contiguous()) return false;
  const std::int64_t columns = columns_of(y);
  const auto is_vector = [&](int v) {
    return v == kAbsent || (graph.value(v).shape.rank() == 1 && graph.value(v).count() == columns);
  };
  const auto is_one_a_row = [&](int v) { return graph.value(v).count() * columns == y.count(); };
  return std::all_of(node.in.begin() + 1, node.in.end(), is_vector) &&
         std::all_of(node.out.begin() + 1, node.out.end(), is_one_a_row);
}

bool takes_tiles(const Graph& graph, const Node& node) {
  return node.def->is(ops::kElementwise) && node.out.size() == 1 && is_plain(graph, node) &&
         (node.def->layout == ops::Layout::any || node.def->is(ops::kStridedRows)) &&
         has_one_shape(graph, node);
}

FusedParts::FusedParts(const Graph& graph, const Node& node,
                       const std::function<std::byte*(int buffer)>& begin_of) {
  if (!node.before.empty()) before_ = prepared(graph, node.before[0], begin_of);
  if (!node.after.empty()) after_ = prepared(graph, node.after[0], begin_of);
}

FusedParts::Part FusedParts::prepared(const Graph& graph, const Node& node,
                                      const std::function<std::byte*(int buffer)>& begin_of) {
  Part part{.kernel = node.def->cpu};
  part.call.attrs = &node.attrs;
  const Value& y = graph.value(node.out[0]);
  const auto place = [&](int v, View& view, Place otherwise) {
    const Value& value = graph.value(v);
    view = value.view(begin_of(value.buffer));
    const Place place = value.shape == y.shape ? Place::rows : otherwise;
    if (place == Place::rows) view = ops::as_rows(view);
    if (place == Place::one_a_row) view = ops::as_vector(view);
    return place;
  };
  for (std::size_t i = 0; i < node.in.size(); ++i)
    if (node.in[i] != kAbsent) part.in[i] = place(node.in[i], part.call.in[i], Place::whole);
  for (std::size_t i = 0; i < node.out.size(); ++i)
    part.out[i] = place(node.out[i], part.call.out[i], Place::one_a_row);
  return part;
}

void FusedParts::Part::run(const kernels::OutputTile& tile) const noexcept {
  ops::KernelCall some = call;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i] != Place::whole) some.in[i] = cut(call.in[i], in[i] == Place::rows, tile);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i] != Place::whole) some.out[i] = cut(call.out[i], out[i] == Place::rows, tile);
  kernel(some);
}

void FusedParts::attach(ops::KernelCall& product) const {
  if (before_.kernel != nullptr)
    product.before = {[](const void* self, std::int64_t begin, std::int64_t end) noexcept {
                        const Part& part = *static_cast<const Part*>(self);
                        part.run({begin, end - begin, 0, part.call.out[0].dims[1]});
                      },
                      &before_};
  if (after_.kernel != nullptr)
    product.after = {[](const void* self, const kernels::OutputTile& tile) noexcept {
                       static_cast<const Part*>(self)->run(tile);
                     },
                     &after_};
}

}  // namespace lathe::graph
