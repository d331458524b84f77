// Ops that a product runs inside its own parallel regions: one that makes its rows, one that goes
// on with its tiles. Both run through their own kernels, on parts of their tensors, so the bits are
// theirs.
#pragma once

#include <functional>

#include "lathe/engine/graph/graph.h"

namespace lathe::graph {

/// Whether the node makes rows of its first output from the same rows of its inputs, those that are
/// not vectors of a row (gains): a normalisation, or elementwise.
bool makes_rows(const Graph& graph, const Node& node);

/// Whether the node is elementwise over matrices of one shape and takes any tile of them.
bool takes_tiles(const Graph& graph, const Node& node);

/// Dense, and the same rows and columns, whatever the shape is called.
bool same_rows(const Value& a, const Value& b);

/// Prepared parts of a node with `before` or `after`. They lie where `begin_of` says that their
/// buffers begin.
class FusedParts {
 public:
  FusedParts(const Graph& graph, const Node& node,
             const std::function<std::byte*(int buffer)>& begin_of);

  /// Hands the parts to the product's call. They must outlive it.
  void attach(ops::KernelCall& product) const;

 private:
  enum class Place : std::uint8_t { whole, rows, one_a_row };
  struct Part {
    void (*kernel)(const ops::KernelCall& call) noexcept = nullptr;
    ops::KernelCall call;  // over all rows; what is cut is a matrix or one element a row
    std::array<Place, ops::kMaxInputs> in{};
    std::array<Place, ops::kMaxOutputs> out{};

    void run(const kernels::OutputTile& tile) const noexcept;
  };

  static Part prepared(const Graph& graph, const Node& node,
                       const std::function<std::byte*(int buffer)>& begin_of);

  Part before_, after_;
};

}  // namespace lathe::graph
