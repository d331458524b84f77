// Work that is captured when it first runs and replayed from then on.
#pragma once

#include <optional>

#include "lathe/engine/graph/passes/pass.h"
#include "lathe/engine/graph/replay.h"
#include "lathe/engine/graph/tracer.h"

namespace lathe::graph {

class Captured {
 public:
  Captured(Work work, std::shared_ptr<Arena> arena, PassOptions options = {})
      : work_(std::move(work)), arena_(std::move(arena)), options_(options) {}

  /// The outputs of work(inputs), valid until a replay of the arena runs. It is captured again when
  /// the inputs are other tensors, `state` is another number (a fingerprint of what else the work
  /// reads and writes), or the instruction set or the thread count has changed. Where a recorder
  /// watches this thread, it runs eagerly, so that the recorder sees every op.
  const std::vector<Tensor>& run(std::span<const Tensor> inputs, std::uint64_t state);

  /// The same, call by call.
  const std::vector<Tensor>& run_eagerly(std::span<const Tensor> inputs) {
    return eager_ = work_(inputs);
  }

  /// Null before the first run.
  Replay* replay() { return replay_ ? &*replay_ : nullptr; }
  std::int64_t captures() const { return captures_; }
  /// What the passes of the last capture changed.
  const std::vector<Passed>& passed() const { return passed_; }

 private:
  Work work_;
  std::shared_ptr<Arena> arena_;
  PassOptions options_;
  std::optional<Replay> replay_;
  std::uint64_t key_ = 0;
  std::int64_t captures_ = 0;
  std::vector<Tensor> eager_;
  std::vector<Passed> passed_;
};

/// Folds a number into a fingerprint.
std::uint64_t mixed(std::uint64_t fingerprint, std::uint64_t number);
/// The memory that a tensor lies in; 0 for none.
std::uint64_t memory_of(const Tensor& t);

}  // namespace lathe::graph
