// The parts of an optimizer step that are ops alone, captured once and replayed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lathe/engine/graph/captured.h"
#include "lathe/life/optim/optimizer.h"
#include "lathe/life/train/objective.h"

namespace lathe::train {

/// Graphs that share one arena: the micro-step (forward and backward), the squares of the
/// gradients, the update, and the losses of a validation. What the host decides lies between them:
/// losses are added up, the norm is formed, a step is skipped. The bits are those of the eager
/// calls.
class CapturedStep {
 public:
  struct Options {
    bool capture = true;             // false: everything runs eagerly
    std::int64_t memory_budget = 0;  // of the micro-step, see graph::PassOptions
  };
  CapturedStep(model::LanguageModel& model, Objective& objective, optim::Optimizer& optimizer,
               Options options);

  void micro_step(const data::Batch& batch, LossSums& sums);
  double gradient_norm();
  /// Forward only; batches of another shape than the micro-steps' run eagerly.
  void evaluate(const data::Batch& batch, LossSums& sums);
  void update(const optim::Update& update);

  /// Null before the first micro-step, or without capture.
  graph::Replay* micro_replay() { return micro_.replay(); }
  graph::Replay* update_replay() { return update_.replay(); }
  std::int64_t arena_bytes() const { return arena_->bytes(); }

 private:
  std::uint64_t fingerprint() const;
  const std::vector<Tensor>& run(graph::Captured& captured, std::span<const Tensor> inputs);

  model::LanguageModel& model_;
  Objective& objective_;
  optim::Optimizer& optimizer_;
  bool capture_;
  std::shared_ptr<graph::Arena> arena_ = std::make_shared<graph::Arena>();
  std::int64_t rows_ = 0, width_ = 0;  // of batch_
  BatchTensors batch_;
  std::vector<Tensor> inputs_;
  graph::Captured micro_, losses_, squares_, update_;
};

}  // namespace lathe::train
