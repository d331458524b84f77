// Rewritings of a graph that change no bit of what it gives.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/engine/graph/graph.h"

namespace lathe::graph {

struct Passed {
  const char* name;
  std::int64_t changes;  // nodes that were removed or joined
};

struct PassOptions {
  std::int64_t memory_budget = 0;  // bytes of the arena to aim at; 0: what the tape leaves
};

/// Every pass of pass_list.inc once, in its order.
std::vector<Passed> run_passes(Graph& graph, const PassOptions& options = {});

namespace passes {
#define LATHE_PASS(pass) std::int64_t pass(Graph& graph, const PassOptions& options);
#include "lathe/engine/graph/passes/pass_list.inc"
#undef LATHE_PASS
}  // namespace passes

/// Lets nodes that compute the same on the same values share one result, where it is still at hand
/// or small, and at most `extended` times where it must be kept longer for it. Returns how many
/// nodes went.
std::int64_t share_results(Graph& graph, std::int64_t extended);

/// The same view as value v of another buffer.
int same_view(Graph& graph, int v, int buffer);

/// Who touches a buffer, as indices of nodes, ascending; a node that reads and writes is in both.
struct Uses {
  std::vector<std::vector<int>> readers, writers;  // by buffer

  explicit Uses(const Graph& graph);
  const std::vector<int>& readers_of(int buffer) const {
    return readers[static_cast<std::size_t>(buffer)];
  }
  const std::vector<int>& writers_of(int buffer) const {
    return writers[static_cast<std::size_t>(buffer)];
  }

 private:
  void add(const Graph& graph, const Node& node, int i);
};

/// Whether an output of the graph lies in the buffer.
bool is_output(const Graph& graph, int buffer);

/// Keeps the nodes whose flag is set; returns how many went.
std::int64_t keep_nodes(Graph& graph, const std::vector<bool>& keep);

}  // namespace lathe::graph
