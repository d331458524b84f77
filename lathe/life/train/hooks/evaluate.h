#pragma once

#include <memory>

#include "lathe/life/train/trainer.h"

namespace lathe::train {

/// Validation: mean loss and bits per byte over the whole validation set (or its first tokens), the
/// same ones each time.
class EvaluateHook : public Hook {
 public:
  /// Sequential `source`, read from its start each time; `rows` pass through the model at once.
  EvaluateHook(std::unique_ptr<data::BatchSource> source, std::int64_t every, std::int64_t rows)
      : source_(std::move(source)), every_(every), rows_(rows) {}

  void on_step(Trainer& trainer, runs::StepMetrics& metrics) override;

 private:
  std::unique_ptr<data::BatchSource> source_;
  std::int64_t every_, rows_;
};

/// Sums over all batches of a source.
LossSums evaluate(CapturedStep& step, data::BatchSource& source, std::int64_t rows);

}  // namespace lathe::train
