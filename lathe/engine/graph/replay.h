// Running a planned graph: kernels back to back, without the door.
#pragma once

#include "lathe/base/clock.h"
#include "lathe/base/read_soon.h"
#include "lathe/engine/graph/chain.h"
#include "lathe/engine/graph/fused.h"
#include "lathe/engine/graph/plan.h"

namespace lathe::graph {

/// Memory that several replays share, one at a time.
class Arena {
 public:
  /// At least so many bytes; where it grows, what replays left in it is lost. Throws OutOfMemory.
  void reserve(std::int64_t bytes);
  std::int64_t bytes() const { return bytes_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  std::shared_ptr<Storage> storage_;
  std::int64_t bytes_ = 0;
};

/// A graph with memory and prepared calls. A run allocates nothing and asks no shape rule;
/// recorders see nothing of it. It is made for the instruction set and thread count of its moment.
/// Thread rule: replays of one arena run one after the other.
class Replay {
 public:
  Replay(Graph graph, std::shared_ptr<Arena> arena);

  /// Bit for bit what the captured calls would do. Throws InvalidArgument where an op refuses
  /// values (ops::OpDef::check).
  void run();
  /// Valid until a replay of the arena runs.
  const std::vector<Tensor>& outputs();

  const Graph& graph() const { return graph_; }
  const Plan& plan() const { return plan_; }
  /// One run; seconds of each node.
  std::vector<double> measure(const Clock& clock);

 private:
  struct Call {
    void (*run)(const ops::KernelCall& call) noexcept = nullptr;
    void (*check)(ops::Inputs in) = nullptr;
    bool reference = false;  // f64
    ops::KernelCall views;
    std::vector<Tensor> checked;
    std::unique_ptr<ChainRun> chain;
    std::unique_ptr<FusedParts> fused;
    std::vector<ReadSoon> weights;         // that it reads whole
    const std::vector<ReadSoon>* ahead{};  // of the next call that has any; null: said already
  };

  std::byte* begin_of(int buffer) const;
  Tensor tensor_of(int value) const;
  void prepare();
  Call prepared(const Node& node, const Plan::Workspace& workspace) const;
  std::vector<ReadSoon> weights_of(const Node& node) const;
  void look_ahead();
  static void run_call(const Call& call);

  Graph graph_;
  Plan plan_;
  std::shared_ptr<Arena> arena_;
  std::shared_ptr<Storage> prepared_for_;  // of the arena
  std::vector<Call> calls_;
  std::vector<Tensor> outputs_;
};

}  // namespace lathe::graph
