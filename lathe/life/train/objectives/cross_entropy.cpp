#include "lathe/life/train/objectives/cross_entropy.h"

#include "lathe/engine/autograd/tape.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::train {
namespace {

model::TokenBatch ids_of(const data::Batch& b) {
  return model::TokenBatch::from(b.rows, b.width, b.tokens.data(), b.positions.data(),
                                 b.document_starts.data());
}

/// The layers multiply in int8 for a scope.
class Int8Scope {
 public:
  Int8Scope(model::LanguageModel& model, bool int8) : model_(model) { model.set_int8(int8); }
  ~Int8Scope() { model_.set_int8(false); }
  Int8Scope(const Int8Scope&) = delete;
  Int8Scope& operator=(const Int8Scope&) = delete;

 private:
  model::LanguageModel& model_;
};

void add_sums(const data::Batch& batch, const Tensor& nll, LossSums& sums) {
  if (!nll.has_data()) return;  // meta
  const float* values = nll.data<float>();
  for (std::size_t t = 0; t < batch.targets.size(); ++t) {
    if (batch.targets[t] < 0) continue;
    sums.nll += static_cast<double>(batch.weights[t]) * static_cast<double>(values[t]);
    sums.weight += static_cast<double>(batch.weights[t]);
    ++sums.tokens;
  }
  sums.bytes += batch.bytes;
}

}  // namespace

void CrossEntropy::train(model::LanguageModel& model, const data::Batch& batch, LossSums& sums) {
  const Int8Scope int8(model, int8_);  // backward too: recompute runs blocks again
  const model::TokenBatch ids = ids_of(batch);
  const std::int64_t n = batch.rows * batch.width;
  const Tensor targets = Tensor::from(std::span<const std::int32_t>(batch.targets), {n});
  const Tensor weights = Tensor::from(std::span<const float>(batch.weights), {n});
  autograd::Tape tape;
  for (const autograd::Parameter* p : model.parameters())
    if (p->trainable() && p->has_gradients()) p->watch(tape);
  Tensor hidden;  // [N,C]
  {
    const ops::RecorderScope scope(&tape);
    const Tensor h = model.hidden(ids);
    hidden = ops::reshape(h, {n, h.dim(-1)});
  }
  // The head starts the backward pass itself, so that its logits never exist as a whole.
  const auto head = model.head();
  const bool trainable = head.weight->trainable() && head.weight->has_gradients();
  const ops::HeadLoss loss = ops::linear_cross_entropy_grad_(
      trainable ? head.weight->accumulator(head.use) : Tensor(), hidden,
      head.weight->value(head.use), targets, weights,
      {.z_loss = z_loss_, .soft_cap = model.config().logit_cap, .rows_per_sequence = batch.width});
  tape.backward(hidden, loss.dx);
  add_sums(batch, loss.nll, sums);
}

void CrossEntropy::evaluate(model::LanguageModel& model, const data::Batch& batch, LossSums& sums) {
  const std::int64_t n = batch.rows * batch.width;
  const Tensor targets = Tensor::from(std::span<const std::int32_t>(batch.targets), {n});
  const Tensor h = model.hidden(ids_of(batch));
  const auto head = model.head();
  const Tensor nll =
      ops::linear_cross_entropy(ops::reshape(h, {n, h.dim(-1)}), head.weight->value(head.use),
                                targets, model.config().logit_cap);
  add_sums(batch, nll, sums);
}

}  // namespace lathe::train
