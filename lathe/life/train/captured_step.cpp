#include "lathe/life/train/captured_step.h"

#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe::train {

CapturedStep::CapturedStep(model::LanguageModel& model, Objective& objective,
                           optim::Optimizer& optimizer, Options options)
    : model_(model),
      objective_(objective),
      optimizer_(optimizer),
      capture_(options.capture),
      micro_(
          [this](std::span<const Tensor> in) {
            return std::vector{
                objective_.micro_step(model_, {{in[0], in[1], in[2]}, in[3], in[4]})};
          },
          arena_, {.memory_budget = options.memory_budget}),
      losses_(
          [this](std::span<const Tensor> in) {
            return std::vector{objective_.losses(model_, {{in[0], in[1], in[2]}, in[3], in[4]})};
          },
          arena_),
      squares_(
          [this](std::span<const Tensor>) { return optim::gradient_squares(model_.parameters()); },
          arena_),
      update_(
          [this](std::span<const Tensor>) {
            optimizer_.apply();
            return std::vector<Tensor>();
          },
          arena_) {}

/// Of all memory that the graphs hold besides the optimizer's.
std::uint64_t CapturedStep::fingerprint() const {
  std::uint64_t all = model_.recomputes() ? 1 : 0;
  for (const autograd::Parameter* p : model_.parameters()) {
    all = graph::mixed(all, p->trainable() ? 1 : 0);
    for (int use = 0; use < p->uses(); ++use) {
      all = graph::mixed(all, graph::memory_of(p->value(use)));
      all = graph::mixed(all, graph::memory_of(p->accumulator(use)));
    }
  }
  return all;
}

const std::vector<Tensor>& CapturedStep::run(graph::Captured& captured,
                                             std::span<const Tensor> inputs) {
  if (!capture_) return captured.run_eagerly(inputs);
  const std::int64_t before = captured.captures();
  const std::vector<Tensor>& outputs = captured.run(inputs, fingerprint());
  if (captured.captures() != before)
    log::debug("captured {} ops; their arena {}, of which {} at once",
               captured.replay()->graph().nodes.size(),
               human_bytes(static_cast<double>(captured.replay()->plan().arena_bytes)),
               human_bytes(static_cast<double>(captured.replay()->plan().live_bytes)));
  return outputs;
}

void CapturedStep::micro_step(const data::Batch& batch, LossSums& sums) {
  if (batch.rows != rows_ || batch.width != width_ || inputs_.empty()) {
    rows_ = batch.rows;
    width_ = batch.width;
    batch_ = BatchTensors::empty(rows_, width_);
    inputs_ = {batch_.ids.ids, batch_.ids.positions, batch_.ids.document_start, batch_.targets,
               batch_.weights};
  }
  batch_.fill(batch);
  add_losses(batch, run(micro_, inputs_)[0], sums);
}

void CapturedStep::evaluate(const data::Batch& batch, LossSums& sums) {
  if (batch.rows != rows_ || batch.width != width_ || inputs_.empty())
    return objective_.evaluate(model_, batch, sums);
  batch_.fill(batch);
  add_losses(batch, run(losses_, inputs_)[0], sums);
}

double CapturedStep::gradient_norm() { return optim::norm_of(run(squares_, {})); }

void CapturedStep::update(const optim::Update& update) {
  optimizer_.set(update);
  run(update_, {});
}

}  // namespace lathe::train
