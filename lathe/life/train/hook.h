// What happens around the loop's steps: logging, saving, validating, sampling. Hooks run in order,
// between steps, in the trainer's thread.
#pragma once

#include "lathe/life/runs/metrics.h"

namespace lathe::train {

class Trainer;

class Hook {
 public:
  virtual ~Hook() = default;
  virtual void on_start(Trainer&) {}
  /// After each step; a hook may add to the metrics (validation) before later hooks see them.
  virtual void on_step(Trainer&, runs::StepMetrics&) {}
  /// After the last step, or when the run is asked to stop.
  virtual void on_end(Trainer&, bool /*finished*/) {}
};

}  // namespace lathe::train
