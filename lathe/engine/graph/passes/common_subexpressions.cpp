// The same op on the same values runs once, where its first result is still at hand: what the tape
// computes again to save memory stays so (fit_memory.cpp weighs that).
#include <algorithm>
#include <map>

#include "lathe/engine/graph/passes/pass.h"

namespace lathe::graph {
namespace {

constexpr std::int64_t kSmall = 4096;  // bytes that may live longer for it

class Search {
 public:
  Search(Graph& graph, std::int64_t extended) : graph_(graph), uses_(graph), extended_(extended) {
    versions_.resize(graph.buffers.size());
  }

  std::int64_t run() {
    std::vector<bool> keep(graph_.nodes.size(), true);
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
      Node& node = graph_.nodes[static_cast<std::size_t>(i)];
      for (int& v : node.in) v = current(v);
      if (const int twin = find_twin(i); twin >= 0) {
        take_results(graph_.nodes[static_cast<std::size_t>(twin)], node);
        keep[static_cast<std::size_t>(i)] = false;
        continue;
      }
      each_value(node, [&](int v, bool writes) {
        if (writes) ++versions_[static_cast<std::size_t>(graph_.value(v).buffer)];
      });
      seen_[node.def].push_back({i, versions_of(node)});
    }
    for (int& v : graph_.outputs) v = current(v);
    return keep_nodes(graph_, keep);
  }

 private:
  struct Seen {
    int node;
    std::vector<int> versions;  // of its inputs
  };

  std::vector<int> versions_of(const Node& node) const {
    std::vector<int> versions;
    for (const int v : node.in)
      if (v != kAbsent)
        versions.push_back(versions_[static_cast<std::size_t>(graph_.value(v).buffer)]);
    return versions;
  }

  /// Written once, by this node, all of it, and free to be shared.
  bool is_plain(int v) const {
    const int buffer = graph_.value(v).buffer;
    return graph_.buffer(buffer).kind == Buffer::Kind::planned && graph_.is_whole(v) &&
           uses_.writers_of(buffer).size() == 1;
  }

  int find_twin(int i) {
    const Node& node = graph_.nodes[static_cast<std::size_t>(i)];
    const auto found = seen_.find(node.def);
    if (node.def->is(ops::kInPlace) || found == seen_.end()) return -1;
    const std::vector<int> versions = versions_of(node);
    for (const Seen& seen : found->second) {
      const Node& other = graph_.nodes[static_cast<std::size_t>(seen.node)];
      if (other.in == node.in && seen.versions == versions && other.attrs == node.attrs &&
          may_share(other, node, i))
        return seen.node;
    }
    return -1;
  }

  bool may_share(const Node& first, const Node& second, int i) {
    bool extends = false;
    for (std::size_t k = 0; k < first.out.size(); ++k) {
      if (!is_plain(first.out[k]) || !is_plain(second.out[k])) return false;
      const int buffer = graph_.value(first.out[k]).buffer;
      if (graph_.buffer(buffer).bytes <= kSmall) continue;
      if (last_read(graph_.value(second.out[k]).buffer) >= 0 && last_read(buffer) < i)
        extends = true;
    }
    if (!extends) return true;
    return extended_-- > 0;
  }

  /// The last node that reads a buffer, also by the name of one that it stands for; -1: none.
  int last_read(int buffer) const {
    if (is_output(graph_, buffer)) return static_cast<int>(graph_.nodes.size());
    const auto& readers = uses_.readers_of(buffer);
    const auto lasting = lasting_.find(buffer);
    return std::max(readers.empty() ? -1 : readers.back(),
                    lasting == lasting_.end() ? -1 : lasting->second);
  }

  void take_results(const Node& first, const Node& second) {
    for (std::size_t k = 0; k < first.out.size(); ++k) {
      const int from = graph_.value(second.out[k]).buffer, to = graph_.value(first.out[k]).buffer;
      instead_[from] = to;
      lasting_[to] = std::max(last_read(to), last_read(from));
    }
  }

  /// The value that now stands for v: the same view of the buffer that replaced its own.
  int current(int v) {
    if (v == kAbsent) return v;
    const auto found = instead_.find(graph_.value(v).buffer);
    if (found == instead_.end()) return v;
    return same_view(graph_, v, found->second);
  }

  Graph& graph_;
  const Uses uses_;
  std::int64_t extended_;      // how many results may yet be kept longer
  std::vector<int> versions_;  // how often each buffer has been written
  std::map<const ops::OpDef*, std::vector<Seen>> seen_;
  std::map<int, int> instead_;  // buffer -> the one that holds the same
  std::map<int, int> lasting_;  // of those: the last node that reads them
};

}  // namespace

std::int64_t share_results(Graph& graph, std::int64_t extended) {
  return Search(graph, extended).run();
}

std::int64_t passes::common_subexpressions(Graph& graph, const PassOptions&) {
  return share_results(graph, 0);
}

}  // namespace lathe::graph
