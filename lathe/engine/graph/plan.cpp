#include "lathe/engine/graph/plan.h"

#include <algorithm>
#include <numeric>

#include "lathe/engine/graph/chain.h"
#include "lathe/engine/kernels/isa.h"

namespace lathe::graph {
namespace {

constexpr std::int64_t kAlignment = 64;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Something that needs memory from one node to another, both included.
struct Stay {
  std::int64_t bytes = 0;
  std::int64_t first = -1, last = -1;
  std::int64_t at = -1;
  bool used() const { return first >= 0; }
  void touch(std::int64_t node) {
    if (first < 0) first = node;
    last = std::max(last, node);
  }
};

std::vector<Stay> lifetimes(const Graph& graph) {
  std::vector<Stay> stays(graph.buffers.size());
  const auto touch = [&](int v, std::int64_t node) {
    const auto b = static_cast<std::size_t>(graph.value(v).buffer);
    if (graph.buffers[b].kind != Buffer::Kind::planned) return;
    stays[b].bytes = aligned(graph.buffers[b].bytes);
    stays[b].touch(node);
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    each_value(graph.nodes[i], [&](int v, bool) { touch(v, static_cast<std::int64_t>(i)); });
  for (const int v : graph.outputs) touch(v, std::ssize(graph.nodes));
  return stays;
}

/// Where an elementwise op ends the life of an input that is as large as its output, both share
/// the place: host[b] is the buffer that b lies in.
class Sharing {
 public:
  Sharing(const Graph& graph, std::vector<Stay>& stays) : graph_(graph), stays_(stays) {
    host_.resize(stays.size());
    std::iota(host_.begin(), host_.end(), 0);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) join(graph.nodes[i], i);
  }
  int host(int buffer) const {
    while (host_[static_cast<std::size_t>(buffer)] != buffer)
      buffer = host_[static_cast<std::size_t>(buffer)];
    return buffer;
  }

 private:
  void join(const Node& node, std::size_t i) {
    const bool plain = node.def->is(ops::kElementwise) && !node.def->is(ops::kInPlace);
    if ((!plain && node.parts.empty()) || node.out.empty()) return;
    const int out = node.out[0];
    // Of a chain only what its last part makes: all else might be read after it is written.
    if (!node.parts.empty() && node.parts.back().out != std::vector<int>{out}) return;
    if (!graph_.is_whole(out) || graph_.buffer_of(out).kind != Buffer::Kind::planned) return;
    for (const int v : node.in)
      if (v != kAbsent && may_take(node, v, out, i)) {
        const int from = host(graph_.value(v).buffer), to = graph_.value(out).buffer;
        host_[static_cast<std::size_t>(to)] = from;
        stays_[static_cast<std::size_t>(from)].last = stays_[static_cast<std::size_t>(to)].last;
        stays_[static_cast<std::size_t>(to)] = {};
        return;
      }
  }

  bool may_take(const Node& node, int v, int out, std::size_t i) const {
    const Value &from = graph_.value(v), &to = graph_.value(out);
    if (graph_.buffer_of(v).kind != Buffer::Kind::planned || !graph_.is_whole(v)) return false;
    if (from.dtype != to.dtype || !(from.shape == to.shape)) return false;
    const Stay& stay = stays_[static_cast<std::size_t>(host(from.buffer))];
    if (stay.last != static_cast<std::int64_t>(i) || stay.bytes != aligned(to.bytes()))
      return false;
    // Another view of the same memory would be read after parts of it are written.
    return std::none_of(node.in.begin(), node.in.end(), [&](int other) {
      return other != kAbsent && other != v &&
             host(graph_.value(other).buffer) == host(from.buffer);
    });
  }

  const Graph& graph_;
  std::vector<Stay>& stays_;
  std::vector<int> host_;
};

/// Largest first, each at the lowest place that is free for all of its stay.
std::int64_t place(std::vector<Stay*>& stays) {
  std::stable_sort(stays.begin(), stays.end(),
                   [](const Stay* a, const Stay* b) { return a->bytes > b->bytes; });
  std::vector<Stay*> placed;  // by place
  std::int64_t end = 0;
  for (Stay* stay : stays) {
    std::int64_t at = 0;
    for (const Stay* other : placed) {
      if (other->last < stay->first || stay->last < other->first) continue;
      if (at + stay->bytes <= other->at) break;
      at = std::max(at, other->at + other->bytes);
    }
    stay->at = at;
    end = std::max(end, at + stay->bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), stay,
                                   [](const Stay* a, const Stay* b) { return a->at < b->at; }),
                  stay);
  }
  return end;
}

std::vector<std::int64_t> sums_of(const std::vector<Stay*>& stays, std::size_t nodes) {
  std::vector<std::int64_t> change(nodes + 2, 0);
  for (const Stay* stay : stays) {
    change[static_cast<std::size_t>(stay->first)] += stay->bytes;
    change[static_cast<std::size_t>(stay->last) + 1] -= stay->bytes;
  }
  std::partial_sum(change.begin(), change.end(), change.begin());
  change.pop_back();
  return change;
}

std::int64_t workspace_of(const Graph& graph, const Node& node) {
  if (!node.parts.empty()) return chain_workspace(node);
  if (node.def->workspace == nullptr) return 0;
  const ops::KernelCall call = shapes_of(graph, node);
  const kernels::IsaScope scope(ops::isa_of(*node.def, call));
  return node.def->workspace(call);
}

/// All that needs memory: buffers, and the workspaces of nodes.
struct Needs {
  std::vector<Stay> buffers, workspaces;
  std::vector<std::int64_t> workspace_bytes;
  Sharing sharing;
  std::vector<Stay*> all;

  explicit Needs(const Graph& graph)
      : buffers(lifetimes(graph)), workspaces(graph.nodes.size()), sharing(graph, buffers) {
    for (Stay& stay : buffers)
      if (stay.used()) all.push_back(&stay);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      workspace_bytes.push_back(workspace_of(graph, graph.nodes[i]));
      if (workspace_bytes[i] == 0) continue;
      workspaces[i] = {.bytes = aligned(workspace_bytes[i])};
      workspaces[i].touch(static_cast<std::int64_t>(i));
      all.push_back(&workspaces[i]);
    }
  }
  Needs(const Needs&) = delete;
  Needs& operator=(const Needs&) = delete;
};

}  // namespace

std::vector<std::int64_t> live_bytes(const Graph& graph) {
  const Needs needs(graph);
  return sums_of(needs.all, graph.nodes.size());
}

Plan plan(const Graph& graph) {
  Needs needs(graph);
  const std::vector<std::int64_t> live = sums_of(needs.all, graph.nodes.size());
  Plan plan{.live_bytes = *std::max_element(live.begin(), live.end())};
  plan.arena_bytes = place(needs.all);
  for (std::size_t b = 0; b < needs.buffers.size(); ++b) {
    const int host = needs.sharing.host(static_cast<int>(b));
    plan.buffer_at.push_back(graph.buffers[b].kind == Buffer::Kind::planned
                                 ? needs.buffers[static_cast<std::size_t>(host)].at
                                 : -1);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    plan.workspaces.push_back(
        {std::max<std::int64_t>(needs.workspaces[i].at, 0), needs.workspace_bytes[i]});
  return plan;
}

}  // namespace lathe::graph
