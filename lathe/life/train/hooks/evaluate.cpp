#include "lathe/life/train/hooks/evaluate.h"

#include <numbers>

namespace lathe::train {

LossSums evaluate(CapturedStep& step, data::BatchSource& source, std::int64_t rows) {
  LossSums sums;
  while (true) {
    const data::Batch batch = source.next(rows);
    if (batch.rows == 0) return sums;
    step.evaluate(batch, sums);
  }
}

void EvaluateHook::on_step(Trainer& trainer, runs::StepMetrics& metrics) {
  const bool due = every_ > 0 && metrics.step % every_ == 0;
  if (!due && !trainer.finished()) return;
  source_->rewind();
  const LossSums sums = evaluate(trainer.captured(), *source_, rows_);
  if (sums.weight <= 0) return;
  metrics.valid_loss = sums.nll / sums.weight;
  if (sums.bytes > 0)
    metrics.valid_bpb = sums.nll / (std::numbers::ln2 * static_cast<double>(sums.bytes));
}

}  // namespace lathe::train
