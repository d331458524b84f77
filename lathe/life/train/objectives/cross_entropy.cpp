#include "lathe/life/train/objectives/cross_entropy.h"

#include "lathe/engine/autograd/tape.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::train {
namespace {

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

}  // namespace

Tensor CrossEntropy::micro_step(model::LanguageModel& model, const BatchTensors& batch) {
  const Int8Scope int8(model, int8_);  // backward too: recompute runs blocks again
  autograd::Tape tape;
  for (const autograd::Parameter* p : model.parameters())
    if (p->trainable() && p->has_gradients()) p->watch(tape);
  Tensor hidden;  // [N,C]
  {
    const ops::RecorderScope scope(&tape);
    const Tensor h = model.hidden(batch.ids);
    hidden = ops::reshape(h, {batch.targets.dim(0), h.dim(-1)});
  }
  // The head starts the backward pass itself, so that its logits never exist as a whole.
  const auto head = model.head();
  const bool trainable = head.weight->trainable() && head.weight->has_gradients();
  const ops::HeadLoss loss = ops::linear_cross_entropy_grad_(
      trainable ? head.weight->accumulator(head.use) : Tensor(), hidden,
      head.weight->value(head.use), batch.targets, batch.weights,
      {.z_loss = z_loss_,
       .soft_cap = model.config().logit_cap,
       .rows_per_sequence = batch.ids.ids.dim(1)});
  tape.backward(hidden, loss.dx);
  return loss.nll;
}

Tensor CrossEntropy::losses(model::LanguageModel& model, const BatchTensors& batch) {
  const Tensor h = model.hidden(batch.ids);
  const auto head = model.head();
  return ops::linear_cross_entropy(ops::reshape(h, {batch.targets.dim(0), h.dim(-1)}),
                                   head.weight->value(head.use), batch.targets,
                                   model.config().logit_cap);
}

}  // namespace lathe::train
