// Ops whose results nobody reads. What outlives a replay counts as read.
#include "lathe/engine/graph/passes/pass.h"

namespace lathe::graph::passes {

std::int64_t dead_code(Graph& graph, const PassOptions&) {
  std::vector<bool> live;  // by buffer, at the place of the walk
  for (const Buffer& b : graph.buffers) live.push_back(b.kind != Buffer::Kind::planned);
  const auto is_live = [&](int v) { return live[static_cast<std::size_t>(graph.value(v).buffer)]; };
  for (const int v : graph.outputs) live[static_cast<std::size_t>(graph.value(v).buffer)] = true;
  std::vector<bool> keep(graph.nodes.size());
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    bool needed = false;
    each_value(node, [&](int v, bool writes) { needed = needed || (writes && is_live(v)); });
    keep[i] = needed;
    if (needed)
      each_value(
          node, [&](int v, bool) { live[static_cast<std::size_t>(graph.value(v).buffer)] = true; });
  }
  return keep_nodes(graph, keep);
}

}  // namespace lathe::graph::passes
