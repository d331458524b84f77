// A captured stretch of op calls: what is computed from what, and in which memory it lies. Passes
// rewrite it, the plan gives it memory, a replay runs it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lathe/engine/ops/op.h"

namespace lathe::graph {

constexpr int kAbsent = -1;  // an optional input that is not there

/// A stretch of memory. Values that are views of one another lie in the same buffer.
struct Buffer {
  enum class Kind : std::uint8_t {
    planned,  // lives between ops of one replay; the plan finds it a place
    input,    // given from outside and refilled in place before a replay
    held,     // outlives replays: parameters, moments, accumulators, constants
  };
  Kind kind = Kind::planned;
  std::int64_t bytes = 0;
  std::shared_ptr<Storage> storage;  // input and held
};

/// A tensor: a buffer seen through dimensions and strides.
struct Value {
  int buffer = 0;
  Shape shape;
  DType dtype = DType::f32;
  std::array<std::int64_t, kMaxRank> strides{};
  std::int64_t offset = 0;  // elements

  std::int64_t count() const { return shape.count(); }
  std::int64_t bytes() const { return count() * static_cast<std::int64_t>(size_of(dtype)); }
  bool contiguous() const { return view(nullptr).contiguous(); }
  /// Seen from the start of the buffer's memory; null: shapes only.
  View view(std::byte* begin) const;
};

/// One op call. In-place ops write their first `def->writes` inputs.
struct Node {
  const ops::OpDef* def = nullptr;
  ops::Attrs attrs;
  std::vector<int> in, out;  // values, or kAbsent
  // Of a chain (chain.h): what it consists of, and the values that exist only inside of it.
  std::vector<Node> parts;
  std::vector<int> inner;
  // Of a product (fused.h): what it runs in its own regions, at most one node each.
  std::vector<Node> before, after;
};

/// "add", "chain(scale add)", or "rms_norm+linear_quantised+add".
std::string name_of(const Node& node);

struct Graph {
  std::vector<Buffer> buffers;
  std::vector<Value> values;
  std::vector<Node> nodes;   // in the order of the calls
  std::vector<int> outputs;  // values that are read after a replay

  const Value& value(int v) const { return values[static_cast<std::size_t>(v)]; }
  const Buffer& buffer(int b) const { return buffers[static_cast<std::size_t>(b)]; }
  const Buffer& buffer_of(int v) const { return buffer(value(v).buffer); }
  /// The value is all of its buffer, in order.
  bool is_whole(int v) const;
};

/// The call as its kernel sees it, without memory: for shape questions (workspace, FLOPs).
ops::KernelCall shapes_of(const Graph& graph, const Node& node);

/// Calls visit(value, writes) for every value that a node touches.
template <typename Visit>
void each_value(const Node& node, Visit&& visit) {
  for (std::size_t i = 0; i < node.in.size(); ++i)
    if (node.in[i] != kAbsent) visit(node.in[i], static_cast<int>(i) < node.def->writes);
  for (const int v : node.out) visit(v, true);
  for (const auto* fused : {&node.before, &node.after})
    for (const Node& part : *fused) each_value(part, visit);
}

/// One line a node: "%7 f32 [64,32] = linear(%3, @weight f32 [32,16])".
std::string to_string(const Graph& graph);

}  // namespace lathe::graph
