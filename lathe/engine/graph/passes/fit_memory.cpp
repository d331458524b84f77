// Time against memory, op by op (Chen et al. 2016, arXiv 1604.06174, chose among layers). With room
// to spare, results that the tape would compute twice are kept; where the arena is too large,
// results that wait for a late reader are given up and computed again right before it, those first
// that free most for the time they cost.
#include <algorithm>
#include <map>
#include <optional>

#include "lathe/engine/graph/passes/pass.h"
#include "lathe/engine/graph/plan.h"

namespace lathe::graph {
namespace {

constexpr int kDepth = 4;               // of ops that are run again for one result
constexpr double kFlopsPerByte = 8;     // that take as long as moving a byte, about
constexpr std::int64_t kLeast = 65536;  // bytes that are worth an op

/// FLOPs and bytes of a node as bytes.
double cost_of(const Graph& graph, const Node& node) {
  std::vector<Tensor> in, out;
  const auto meta = [&](int v) {
    return v == kAbsent ? Tensor()
                        : Tensor::empty(graph.value(v).shape, graph.value(v).dtype, Device::meta);
  };
  for (const int v : node.in) in.push_back(meta(v));
  for (const int v : node.out) out.push_back(meta(v));
  return ops::bytes_of(*node.def, in, out, node.attrs) +
         ops::flops_of(*node.def, in, out, node.attrs) / kFlopsPerByte;
}

/// A result that could be given up between two of its readers.
struct Candidate {
  int buffer = -1;
  int until = 0;           // the reader before which it is computed again
  std::vector<int> nodes;  // to run again, in their order
  double bytes_per_cost = 0;
};

class Search {
 public:
  explicit Search(Graph& graph) : graph_(graph), uses_(graph) {
    const std::vector<std::int64_t> live = live_bytes(graph);
    peak_ = static_cast<int>(std::max_element(live.begin(), live.end()) - live.begin());
  }

  /// The one that frees most at the peak for its cost.
  std::optional<Candidate> best() const {
    std::optional<Candidate> best;
    for (int b = 0; b < static_cast<int>(graph_.buffers.size()); ++b) {
      const std::optional<Candidate> c = candidate(b);
      if (c && (!best || c->bytes_per_cost > best->bytes_per_cost)) best = c;
    }
    return best;
  }

 private:
  const Node& node(int i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }

  /// The only node that writes a planned buffer, and that may run again; -1: there is none.
  int source_of(int buffer) const {
    const auto& writers = uses_.writers_of(buffer);
    if (graph_.buffer(buffer).kind != Buffer::Kind::planned || writers.size() != 1) return -1;
    const Node& source = node(writers[0]);
    return source.parts.empty() && !source.def->is(ops::kInPlace) ? writers[0] : -1;
  }

  /// Whether a value of node `source` is what it was, and in memory, when node `at` runs.
  bool at_hand(int v, int source, int at) const {
    const int buffer = graph_.value(v).buffer;
    const auto& writers = uses_.writers_of(buffer);
    if (std::any_of(writers.begin(), writers.end(), [&](int w) { return w > source && w < at; }))
      return false;
    if (graph_.buffer(buffer).kind != Buffer::Kind::planned || is_output(graph_, buffer))
      return true;
    const auto& readers = uses_.readers_of(buffer);
    return !readers.empty() && readers.back() >= at;
  }

  /// What has to run for the results of `source` to be there again at `at`.
  bool collect(int source, int at, int depth, std::vector<int>& nodes) const {
    if (std::find(nodes.begin(), nodes.end(), source) != nodes.end()) return true;
    for (const int v : node(source).in) {
      if (v == kAbsent || at_hand(v, source, at)) continue;
      const int earlier = source_of(graph_.value(v).buffer);
      if (earlier < 0 || depth == 0 || !collect(earlier, at, depth - 1, nodes)) return false;
    }
    nodes.push_back(source);
    return true;
  }

  std::optional<Candidate> candidate(int buffer) const {
    const int source = source_of(buffer);
    const std::int64_t bytes = graph_.buffer(buffer).bytes;
    if (source < 0 || source >= peak_ || bytes < kLeast || is_output(graph_, buffer)) return {};
    const auto& readers = uses_.readers_of(buffer);
    const auto next = std::upper_bound(readers.begin(), readers.end(), peak_);
    if (next == readers.end() || (next != readers.begin() && *(next - 1) == peak_)) return {};
    Candidate c{.buffer = buffer, .until = *next};
    if (!collect(source, c.until, kDepth, c.nodes)) return {};
    std::sort(c.nodes.begin(), c.nodes.end());
    double cost = 0;
    for (const int i : c.nodes) cost += cost_of(graph_, node(i));
    c.bytes_per_cost = static_cast<double>(bytes) / cost;
    return c;
  }

  const Graph& graph_;
  const Uses uses_;
  int peak_ = 0;
};

/// Copies nodes to before `until`, where they write into buffers of their own; what reads their
/// results from there on reads the copies.
void run_again(Graph& graph, const Candidate& c) {
  std::map<int, int> instead;  // buffer -> its copy
  const auto renewed = [&](int v) {
    if (v == kAbsent) return v;
    const auto found = instead.find(graph.value(v).buffer);
    return found == instead.end() ? v : same_view(graph, v, found->second);
  };
  std::vector<Node> copies;
  for (const int i : c.nodes) {
    Node copy = graph.nodes[static_cast<std::size_t>(i)];
    for (int& v : copy.in) v = renewed(v);
    for (int& v : copy.out) {
      graph.buffers.push_back({.bytes = graph.buffer_of(v).bytes});
      instead[graph.value(v).buffer] = static_cast<int>(graph.buffers.size()) - 1;
      v = renewed(v);
    }
    copies.push_back(std::move(copy));
  }
  // Only the result that was given up: the others are at hand, or nobody reads them any more.
  for (std::size_t i = static_cast<std::size_t>(c.until); i < graph.nodes.size(); ++i)
    for (int& v : graph.nodes[i].in)
      if (v != kAbsent && graph.value(v).buffer == c.buffer) v = renewed(v);
  graph.nodes.insert(graph.nodes.begin() + c.until, std::make_move_iterator(copies.begin()),
                     std::make_move_iterator(copies.end()));
}

std::int64_t arena_with(Graph graph, std::int64_t kept) {
  share_results(graph, kept);
  return plan(graph).arena_bytes;
}

/// The most results that can be kept within the bytes.
std::int64_t most_kept(const Graph& graph, std::int64_t bytes) {
  Graph all = graph;
  std::int64_t low = 0, high = share_results(all, std::ssize(graph.nodes));
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    if (arena_with(graph, middle) <= bytes) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace

std::int64_t passes::fit_memory(Graph& graph, const PassOptions& options) {
  const std::int64_t bytes = options.memory_budget;
  if (bytes == 0) return 0;
  std::int64_t arena = plan(graph).arena_bytes, changes = 0;
  if (arena <= bytes) return share_results(graph, most_kept(graph, bytes));
  for (std::size_t left = graph.nodes.size(); left > 0 && arena > bytes; --left) {
    const std::optional<Candidate> best = Search(graph).best();
    if (!best) break;
    run_again(graph, *best);
    changes += std::ssize(best->nodes);
    arena = plan(graph).arena_bytes;
  }
  return changes;
}

}  // namespace lathe::graph
