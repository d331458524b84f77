#include "lathe/life/recipes/record_hook.h"

namespace lathe::recipes {

void RecordHook::on_step(train::Trainer&, runs::StepMetrics& metrics) {
  if (options_.peak_flops > 0)
    metrics.mfu = metrics.tokens_per_second * options_.flops_per_token / options_.peak_flops;
  recorder_.step(metrics);
  last_ = metrics;
  const bool due = options_.sample_every > 0 && metrics.step % options_.sample_every == 0;
  if (due && options_.sample) recorder_.sample(metrics.step, options_.sample());
}

void RecordHook::on_end(train::Trainer&, bool finished) {
  recorder_.finish(finished ? runs::RunStatus::kFinished : runs::RunStatus::kStopped);
}

}  // namespace lathe::recipes
