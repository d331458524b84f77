// Runs of elementwise ops become one loop over tiles that stay in the cache. Each tile goes through
// the ops' own kernels in their order, so the bits are theirs.
#include <algorithm>
#include <map>
#include <set>

#include "lathe/engine/graph/chain.h"
#include "lathe/engine/graph/passes/pass.h"

namespace lathe::graph::passes {
namespace {

/// Nodes [first, last) of a graph that could run tile by tile together.
class Run {
 public:
  Run(const Graph& graph, std::size_t first) : graph_(graph), first_(first), last_(first) {
    while (last_ < graph.nodes.size() && extends(graph.nodes[last_])) ++last_;
  }
  std::size_t last() const { return last_; }

 private:
  bool extends(const Node& node) {
    const std::int64_t count = tiled_count(graph_, node);
    if (count < 0 || (last_ > first_ && count != count_)) return false;
    std::map<int, int> seen = seen_;  // buffer -> the one value through which it is seen
    std::set<int> written = written_;
    bool connected = last_ == first_;
    bool fits = true;
    each_value(node, [&](int v, bool writes) {
      const int buffer = graph_.value(v).buffer;
      const auto [entry, is_new] = seen.try_emplace(buffer, v);
      connected = connected || !is_new;
      if (writes) written.insert(buffer);
      // Two views of one memory: another element might be read before or after it is written.
      fits = fits && entry->second == v;
    });
    // A factor that is read as a whole must not be written by the same loop.
    each_value(node, [&](int v, bool) {
      fits =
          fits && (graph_.value(v).count() == count || !written.contains(graph_.value(v).buffer));
    });
    if (!fits || !connected) return false;
    count_ = count;
    seen_ = std::move(seen);
    written_ = std::move(written);
    return true;
  }

  const Graph& graph_;
  std::size_t first_, last_;
  std::int64_t count_ = 0;
  std::map<int, int> seen_;
  std::set<int> written_;
};

/// Whether nobody outside of [first, last) touches the buffer.
bool is_inside(const Graph& graph, const Uses& uses, int buffer, std::size_t first,
               std::size_t last) {
  if (graph.buffer(buffer).kind != Buffer::Kind::planned || is_output(graph, buffer)) return false;
  const auto inside = [&](const std::vector<int>& nodes) {
    return nodes.empty() || (static_cast<std::size_t>(nodes.front()) >= first &&
                             static_cast<std::size_t>(nodes.back()) < last);
  };
  return inside(uses.readers_of(buffer)) && inside(uses.writers_of(buffer));
}

Node joined(const Graph& graph, const Uses& uses, std::size_t first, std::size_t last) {
  Node chain = make_chain({graph.nodes.begin() + static_cast<std::ptrdiff_t>(first),
                           graph.nodes.begin() + static_cast<std::ptrdiff_t>(last)});
  std::set<int> read, written;
  for (const Node& part : chain.parts)
    each_value(part, [&](int v, bool writes) {
      if (is_inside(graph, uses, graph.value(v).buffer, first, last)) {
        if (std::find(chain.inner.begin(), chain.inner.end(), v) == chain.inner.end())
          chain.inner.push_back(v);
      } else {
        (writes ? written : read).insert(v);
      }
    });
  for (const int v : read)
    if (!written.contains(v)) chain.in.push_back(v);
  chain.out.assign(written.begin(), written.end());
  return chain;
}

}  // namespace

std::int64_t chains(Graph& graph, const PassOptions&) {
  const Uses uses(graph);
  std::vector<Node> nodes;
  std::int64_t joined_nodes = 0;
  for (std::size_t i = 0; i < graph.nodes.size();) {
    const std::size_t last = Run(graph, i).last();
    if (last < i + 2) {
      nodes.push_back(graph.nodes[i++]);
      continue;
    }
    nodes.push_back(joined(graph, uses, i, last));
    joined_nodes += static_cast<std::int64_t>(last - i);
    i = last;
  }
  graph.nodes = std::move(nodes);
  return joined_nodes;
}

}  // namespace lathe::graph::passes
