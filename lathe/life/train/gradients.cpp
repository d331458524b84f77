#include "lathe/life/train/gradients.h"

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::train {

Gradients::Gradients(const std::vector<autograd::Parameter*>& parameters,
                     std::int64_t group_tokens) {
  for (autograd::Parameter* p : parameters) {
    if (!p->trainable()) continue;
    p->allocate_gradients(group_tokens);
    parameters_.push_back(p);
  }
}

void Gradients::begin_step() {
  partials_.clear();
  for (autograd::Parameter* p : parameters_) p->clear_gradients();
}

void Gradients::merge_uses() {
  for (autograd::Parameter* p : parameters_) p->merge_uses();
}

void Gradients::end_group() {
  merge_uses();
  // A binary counter: equal levels merge, the earlier group on the left.
  Partial mine{0, {}};
  for (const autograd::Parameter* p : parameters_) mine.sums.push_back(p->gradient());
  bool copied = false;
  while (!partials_.empty() && partials_.back().level == mine.level) {
    Partial left = std::move(partials_.back());
    partials_.pop_back();
    for (std::size_t i = 0; i < mine.sums.size(); ++i) ops::add_acc_(left.sums[i], mine.sums[i]);
    mine = std::move(left);
    ++mine.level;
    copied = true;
  }
  if (!copied)
    for (Tensor& sum : mine.sums) {
      const Tensor copy = Tensor::empty(sum.shape(), DType::f32, sum.device());
      ops::copy_(copy, sum);
      sum = copy;
    }
  partials_.push_back(std::move(mine));
  for (autograd::Parameter* p : parameters_) p->clear_gradients();
}

void Gradients::end_step() {
  if (partials_.empty()) return merge_uses();  // a single group was never handed in
  while (partials_.size() > 1) {
    const Partial right = std::move(partials_.back());
    partials_.pop_back();
    for (std::size_t i = 0; i < right.sums.size(); ++i)
      ops::add_acc_(partials_.back().sums[i], right.sums[i]);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    ops::copy_(parameters_[i]->gradient(), partials_[0].sums[i]);
  partials_.clear();
}

}  // namespace lathe::train
