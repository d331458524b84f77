// A chain: elementwise ops that run together, tile by tile.
#pragma once

#include <functional>

#include "lathe/engine/graph/graph.h"

namespace lathe::graph {

constexpr std::int64_t kTile = 4096;  // elements: 16 kB of f32 a tensor

/// Elements of a node that can run in tiles: elementwise, every tensor that has as many elements
/// dense and in order, the others (facts of a step, constants) of one element; -1 where it cannot.
std::int64_t tiled_count(const Graph& graph, const Node& node);

/// A node over these parts; whoever calls it fills in, out and inner.
Node make_chain(std::vector<Node> parts);

/// Bytes of workspace for all threads: a tile for each inner value.
std::int64_t chain_workspace(const Node& chain);

/// Prepared parts. Inner values have a tile a thread in the workspace; the others lie where
/// `begin_of` says that their buffers begin.
class ChainRun {
 public:
  ChainRun(const Graph& graph, const Node& chain,
           const std::function<std::byte*(int buffer)>& begin_of, std::byte* workspace);

  void run() const noexcept;

 private:
  enum class Place : std::uint8_t { whole, tile, inner };
  struct Part {
    void (*kernel)(const ops::KernelCall& call) noexcept = nullptr;
    ops::KernelCall call;  // over all elements; inner values from the first thread's tile on
    std::array<Place, ops::kMaxInputs> in{};
    std::array<Place, ops::kMaxOutputs> out{};
  };

  void run_tile(std::int64_t begin, std::int64_t end) const noexcept;

  std::vector<Part> parts_;
  std::int64_t count_ = 0;
  std::int64_t thread_bytes_ = 0;
};

}  // namespace lathe::graph
