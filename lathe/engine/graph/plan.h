// Memory of a graph, found before anything runs.
#pragma once

#include "lathe/engine/graph/graph.h"

namespace lathe::graph {

/// Places in one arena, in bytes from its start, on multiples of 64. Workspaces lie in it too, for
/// as long as their kernel runs. It holds for the instruction set and thread count of the moment
/// at which it was made.
struct Plan {
  std::vector<std::int64_t> buffer_at;  // by buffer; -1: not planned, or never touched
  struct Workspace {
    std::int64_t at = 0, bytes = 0;
  };
  std::vector<Workspace> workspaces;  // by node
  std::int64_t arena_bytes = 0;
  std::int64_t live_bytes = 0;  // the most that is needed at once: no plan can do with less
};

/// A buffer lives from the first op that touches it to the last (outputs: to the end), and an
/// elementwise op may write over an input that nobody reads any more.
Plan plan(const Graph& graph);

/// Bytes in use while each node runs.
std::vector<std::int64_t> live_bytes(const Graph& graph);

}  // namespace lathe::graph
