#include "lathe/life/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lathe/base/cpu_memory.h"
#include "lathe/base/error.h"

namespace lathe::train {

Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      gradients_(parts_.model->parameters(), parts_.train.rows_per_group() * parts_.train.context),
      captured_(std::make_unique<CapturedStep>(
          *parts_.model, *parts_.objective, *parts_.optimizer,
          CapturedStep::Options{.capture = parts_.train.capture,
                                .memory_budget = parts_.train.memory_budget})) {}

void Trainer::restore(const LoopState& state) {
  state_ = state;
  parts_.source->seek(data::Position::from_json(state.data_position));
}

LoopState Trainer::state() const {
  LoopState state = state_;
  state.data_position = parts_.source->position().to_json();
  return state;
}

LossSums Trainer::accumulate_gradients() {
  const TrainConfig& c = parts_.train;
  LossSums sums;
  gradients_.begin_step();
  for (std::int64_t group = 0; group < c.reduce_groups; ++group) {
    for (std::int64_t row = 0; row < c.rows_per_group(); row += c.rows_per_micro())
      captured_->micro_step(parts_.source->next(c.rows_per_micro()), sums);
    if (c.reduce_groups > 1) gradients_.end_group();
  }
  gradients_.end_step();
  return sums;
}

runs::StepMetrics Trainer::step() {
  const TrainConfig& c = parts_.train;
  const double started = parts_.clock->seconds();
  const LossSums sums = accumulate_gradients();

  runs::StepMetrics metrics;
  const double schedule =
      optim::schedule_factor(parts_.schedule, state_.tokens, c.batch_tokens, c.tokens);
  state_.tokens += c.batch_tokens;
  ++state_.step;
  metrics.loss = sums.nll / sums.weight;
  metrics.lr = parts_.lr * schedule;
  if (sums.weight <= 0) {
    metrics.skipped = "no supervised token in this step";
  } else {
    const double norm = captured_->gradient_norm() / sums.weight;
    metrics.grad_norm = norm;
    if (!std::isfinite(metrics.loss) || !std::isfinite(norm)) {
      metrics.skipped = "loss or gradient is not finite";
    } else {
      // As clip_grad_norm_ of PyTorch: the floor keeps a zero norm harmless.
      const double coefficient = parts_.clip > 0 ? std::min(1.0, parts_.clip / (norm + 1e-6)) : 1.0;
      ++state_.updates;
      captured_->update({.schedule = schedule,
                         .gradient_scale = coefficient / sums.weight,
                         .count = state_.updates});
    }
  }
  const double elapsed = parts_.clock->seconds() - started;
  state_.seconds += elapsed;
  metrics.step = state_.step;
  metrics.tokens = state_.tokens;
  metrics.seconds = state_.seconds;
  metrics.tokens_per_second = static_cast<double>(c.batch_tokens) / std::max(elapsed, 1e-9);
  metrics.memory_bytes = resident_bytes();
  if (sums.bytes > 0)
    metrics.bits_per_byte = sums.nll / (std::numbers::ln2 * static_cast<double>(sums.bytes));
  return metrics;
}

bool Trainer::run() {
  for (Hook* hook : hooks_) hook->on_start(*this);
  while (!finished() && !parts_.stop.requested()) {
    runs::StepMetrics metrics = step();
    for (Hook* hook : hooks_) hook->on_step(*this, metrics);
  }
  for (Hook* hook : hooks_) hook->on_end(*this, finished());
  return finished();
}

}  // namespace lathe::train
