#include "lathe/engine/graph/passes/pass.h"

#include <algorithm>

namespace lathe::graph {

Uses::Uses(const Graph& graph) : readers(graph.buffers.size()), writers(graph.buffers.size()) {
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i)
    add(graph, graph.nodes[static_cast<std::size_t>(i)], i);
}

void Uses::add(const Graph& graph, const Node& node, int i) {
  const auto note = [&](std::vector<std::vector<int>>& lists, int v) {
    auto& list = lists[static_cast<std::size_t>(graph.value(v).buffer)];
    if (list.empty() || list.back() != i) list.push_back(i);
  };
  for (std::size_t k = 0; k < node.in.size(); ++k) {
    if (node.in[k] == kAbsent) continue;
    const bool writes = static_cast<int>(k) < node.def->writes;
    if (writes) note(writers, node.in[k]);
    if (!writes || !node.def->is(ops::kOverwrites)) note(readers, node.in[k]);
  }
  for (const int v : node.out) note(writers, v);
  for (const auto* fused : {&node.before, &node.after})
    for (const Node& part : *fused) add(graph, part, i);
}

bool is_output(const Graph& graph, int buffer) {
  return std::any_of(graph.outputs.begin(), graph.outputs.end(),
                     [&](int v) { return graph.value(v).buffer == buffer; });
}

std::int64_t keep_nodes(Graph& graph, const std::vector<bool>& keep) {
  std::vector<Node> kept;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (keep[i]) kept.push_back(std::move(graph.nodes[i]));
  const std::int64_t gone = std::ssize(graph.nodes) - std::ssize(kept);
  graph.nodes = std::move(kept);
  return gone;
}

int same_view(Graph& graph, int v, int buffer) {
  Value value = graph.value(v);
  value.buffer = buffer;
  for (int other = 0; other < static_cast<int>(graph.values.size()); ++other) {
    const Value& x = graph.value(other);
    if (x.buffer == buffer && x.offset == value.offset && x.dtype == value.dtype &&
        x.shape == value.shape && x.strides == value.strides)
      return other;
  }
  graph.values.push_back(value);
  return static_cast<int>(graph.values.size()) - 1;
}

std::vector<Passed> run_passes(Graph& graph, const PassOptions& options) {
  std::vector<Passed> passed;
#define LATHE_PASS(pass) passed.push_back({#pass, passes::pass(graph, options)});
#include "lathe/engine/graph/passes/pass_list.inc"
#undef LATHE_PASS
  return passed;
}

}  // namespace lathe::graph
