// The one training loop. It gets finished parts; building them is a recipe's job.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lathe/base/clock.h"
#include "lathe/base/stop.h"
#include "lathe/data/batch_source.h"
#include "lathe/life/optim/schedule.h"
#include "lathe/life/train/captured_step.h"
#include "lathe/life/train/checkpoint.h"
#include "lathe/life/train/config.h"
#include "lathe/life/train/gradients.h"
#include "lathe/life/train/hook.h"
#include "lathe/life/train/objective.h"

namespace lathe::train {

struct TrainerParts {
  model::LanguageModel* model = nullptr;
  Objective* objective = nullptr;
  optim::Optimizer* optimizer = nullptr;
  data::BatchSource* source = nullptr;
  TrainConfig train;
  optim::ScheduleConfig schedule;
  double lr = 0;    // peak, for the record
  double clip = 0;  // largest gradient norm; 0: none
  const Clock* clock = &steady_clock();
  StopToken stop;
};

class Trainer {
 public:
  explicit Trainer(TrainerParts parts);

  /// Goes on from a checkpoint's state; the source is moved there. Weights and optimizer state are
  /// loaded by the caller.
  void restore(const LoopState& state);

  void add_hook(Hook* hook) { hooks_.push_back(hook); }

  /// Steps until train.tokens are seen or a stop is requested. Returns true when finished.
  bool run();

  /// One optimizer step: gradients of batch_tokens tokens, clip, update. A step whose loss or
  /// gradient is not finite, or that has no supervised token, changes nothing but the position.
  runs::StepMetrics step();

  const TrainerParts& parts() const { return parts_; }
  /// The state to checkpoint; valid between steps.
  LoopState state() const;
  LoopState& loop_state() { return state_; }
  bool finished() const { return state_.tokens >= parts_.train.tokens; }
  CapturedStep& captured() { return *captured_; }

 private:
  LossSums accumulate_gradients();

  TrainerParts parts_;
  Gradients gradients_;
  std::unique_ptr<CapturedStep> captured_;
  LoopState state_;
  std::vector<Hook*> hooks_;
};

}  // namespace lathe::train
