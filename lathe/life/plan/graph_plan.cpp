#include "lathe/life/plan/graph_plan.h"

#include <algorithm>
#include <map>

#include "lathe/base/format.h"
#include "lathe/base/json.h"

namespace lathe::plan {
namespace {

using graph::Graph;
using graph::kAbsent;
using graph::Node;

/// With the values that lie outside of the graph: they tell how many keys attention sees.
Tensor tensor_of(const Graph& graph, int v) {
  if (v == kAbsent) return {};
  const graph::Value& x = graph.value(v);
  const graph::Buffer& buffer = graph.buffer(x.buffer);
  if (buffer.storage == nullptr) return Tensor::empty(x.shape, x.dtype, Device::meta);
  const auto size = static_cast<std::int64_t>(size_of(x.dtype));
  return Tensor::over(buffer.storage, 0, {buffer.bytes / size}, x.dtype)
      .alias(x.shape, x.strides, x.offset);
}

std::string written_shapes(const Graph& graph, const Node& node) {
  std::string text;
  for (const auto* list : {&node.in, &node.out}) {
    if (list == &node.out) text += " ->";
    for (const int v : *list)
      text += v == kAbsent ? " -" : " " + lathe::to_string(graph.value(v).shape);
  }
  return text.substr(text.starts_with(' ') ? 1 : 0);
}

/// Bytes that a fused op brings besides those of its product: what only they share stays in caches.
double bytes_beside(const Graph& graph, const Node& product, const Node& part) {
  const auto has = [](const std::vector<int>& values, int v) {
    return std::find(values.begin(), values.end(), v) != values.end();
  };
  double bytes = 0;
  each_value(part, [&](int v, bool) {
    const bool shared = has(product.in, v) || has(product.out, v);
    if (!shared) bytes += static_cast<double>(graph.value(v).bytes());
  });
  return bytes;
}

/// Of a chain and of fused ops all parts count their FLOPs, and what only they read moves no bytes.
OpTotals cost_of(const Graph& graph, const Node& node) {
  OpTotals cost{.calls = 1, .matmul = node.def->is(ops::kMatmulLike)};
  std::vector<Tensor> in, out;
  for (const int v : node.in) in.push_back(tensor_of(graph, v));
  for (const int v : node.out) out.push_back(tensor_of(graph, v));
  cost.bytes = ops::bytes_of(*node.def, in, out, node.attrs);
  if (node.parts.empty()) cost.flops = ops::flops_of(*node.def, in, out, node.attrs);
  for (const Node& part : node.parts) cost.flops += cost_of(graph, part).flops;
  for (const auto* fused : {&node.before, &node.after})
    for (const Node& part : *fused) {
      cost.flops += cost_of(graph, part).flops;
      cost.bytes += bytes_beside(graph, node, part);
    }
  return cost;
}

std::vector<double> least_seconds(graph::Replay& replay, const Clock& clock, int repeats) {
  replay.run();
  std::vector<double> least = replay.measure(clock);
  for (int i = 1; i < repeats; ++i) {
    const std::vector<double> seconds = replay.measure(clock);
    for (std::size_t k = 0; k < least.size(); ++k) least[k] = std::min(least[k], seconds[k]);
  }
  return least;
}

double share_of(const PlannedOp& op, double peak, const Calibration& machine) {
  const double seconds = std::max(op.seconds, 1e-12);
  if (op.limit == "bytes/s") return op.bytes / seconds / machine.bandwidth;
  return op.flops / seconds / peak;
}

/// By which peak and rate a node is judged: fused, that of its product; products that are asked to
/// be exact multiply in f32.
std::string judged_as(const Node& node) {
  ops::Attrs attrs = node.attrs;
  const bool exact =
      !attrs.empty() && write_json(attrs).find("\"exact\":true") != std::string::npos;
  return exact ? "exact " + std::string(node.def->name) : node.def->name;
}

}  // namespace

void PlannedOp::fields(Fields& f) {
  f("op", op);
  f("shapes", shapes);
  f("count", count);
  f("bytes", bytes);
  f("flops", flops);
  f("predicted_seconds", predicted_seconds);
  f("seconds", seconds);
  f("share", share);
  f("limit", limit);
}

void GraphPlan::fields(Fields& f) {
  f("name", name);
  f("nodes", nodes);
  f("arena_bytes", arena_bytes);
  f("live_bytes", live_bytes);
  f("bytes", bytes);
  f("flops", flops);
  f("predicted_seconds", predicted_seconds);
  f("seconds", seconds);
  f("ops", ops);
}

GraphPlan measure_graph(const std::string& name, graph::Replay& replay, const Calibration& machine,
                        const Clock& clock, int repeats) {
  const Graph& graph = replay.graph();
  GraphPlan plan{.name = name,
                 .nodes = std::ssize(graph.nodes),
                 .arena_bytes = replay.plan().arena_bytes,
                 .live_bytes = replay.plan().live_bytes};
  const std::vector<double> seconds = least_seconds(replay, clock, repeats);
  std::map<std::string, std::size_t> rows;
  std::vector<double> peaks;  // by row
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const std::string op_name = graph::name_of(node), shapes = written_shapes(graph, node);
    const auto [row, is_new] = rows.try_emplace(op_name + " " + shapes, plan.ops.size());
    const OpTotals cost = cost_of(graph, node);
    const std::string kind = judged_as(node);
    if (is_new) {
      const bool by_flops = limited_by_flops(kind, cost, machine);
      plan.ops.push_back(
          {.op = op_name, .shapes = shapes, .limit = by_flops ? "FLOP/s" : "bytes/s"});
      peaks.push_back(machine.peak_of(kind));
    }
    PlannedOp& op = plan.ops[row->second];
    ++op.count;
    op.bytes += cost.bytes;
    op.flops += cost.flops;
    op.predicted_seconds += predict_seconds(kind, cost, machine);
    op.seconds += seconds[i];
  }
  for (std::size_t i = 0; i < plan.ops.size(); ++i) {
    PlannedOp& op = plan.ops[i];
    op.share = share_of(op, peaks[i], machine);
    plan.bytes += op.bytes;
    plan.flops += op.flops;
    plan.predicted_seconds += op.predicted_seconds;
    plan.seconds += op.seconds;
  }
  return plan;
}

std::string table_of(const GraphPlan& plan) {
  std::string text = fmt::format(
      "{}: {} ops, arena {} ({} at once), {} moved, {} FLOPs, predicted {:.2f} ms, measured {:.2f} "
      "ms\n",
      plan.name, plan.nodes, human_bytes(static_cast<double>(plan.arena_bytes)),
      human_bytes(static_cast<double>(plan.live_bytes)), human_bytes(plan.bytes),
      human_count(plan.flops), 1e3 * plan.predicted_seconds, 1e3 * plan.seconds);
  text += fmt::format("  {:<32}{:>6}{:>10}{:>9}{:>11}{:>10}{:>8}  {}\n", "op", "times", "bytes",
                      "FLOPs", "predicted", "measured", "share", "shapes");
  for (const PlannedOp& op : plan.ops)
    text += fmt::format("  {:<32}{:>6}{:>10}{:>9}{:>8.3f} ms{:>7.3f} ms{:>5.0f}% {}  {}\n", op.op,
                        op.count, human_bytes(op.bytes), human_count(op.flops),
                        1e3 * op.predicted_seconds, 1e3 * op.seconds, 100 * op.share,
                        op.limit == "FLOP/s" ? "F" : "B", op.shapes);
  return text;
}

}  // namespace lathe::plan
