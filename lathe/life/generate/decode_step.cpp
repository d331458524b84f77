#include "lathe/life/generate/decode_step.h"

#include <algorithm>

#include "lathe/engine/ops/ops.h"

namespace lathe::generate {

Tensor next_logits(model::LanguageModel& model, const model::TokenBatch& batch,
                   model::ModelState* state) {
  const Tensor h = model.layers(batch, state, model::Wanted::last);
  return model.logits(ops::reshape(h, {h.dim(0), h.dim(-1)}));
}

DecodeStep::DecodeStep(model::LanguageModel& model)
    : model_(model),
      captured_(
          [this](std::span<const Tensor> in) {
            return std::vector{next_logits(model_, {in[0], in[1], in[2]}, state_)};
          },
          std::make_shared<graph::Arena>()) {}

void DecodeStep::fill(std::span<const std::int32_t> ids, std::int64_t position) {
  const auto rows = static_cast<std::int64_t>(ids.size());
  if (inputs_.empty() || inputs_[0].dim(0) != rows) {
    inputs_.clear();
    for (int i = 0; i < 3; ++i) inputs_.push_back(Tensor::zeros({rows, 1}, DType::i32));
  }
  std::copy(ids.begin(), ids.end(), inputs_[0].data<std::int32_t>());
  std::fill_n(inputs_[1].data<std::int32_t>(), rows, static_cast<std::int32_t>(position));
}

const Tensor& DecodeStep::run(model::ModelState& state, std::span<const std::int32_t> ids) {
  if (threads_.most() != thread_count()) threads_ = ThreadChoice(thread_count());
  model_.expect_pass(1);
  const ThreadLimit limit(threads_.next());
  const auto begin = std::chrono::steady_clock::now();
  const Tensor& logits = step(state, ids);
  threads_.took(std::chrono::steady_clock::now() - begin, static_cast<long>(ids.size()));
  return logits;
}

const Tensor& DecodeStep::step(model::ModelState& state, std::span<const std::int32_t> ids) {
  const std::optional<std::uint64_t> key = model_.step_key(state, 1);
  if (!key) {  // with tensors of their own: a state may remember them
    std::vector<std::vector<std::int32_t>> rows;
    for (const std::int32_t id : ids) rows.push_back({id});
    const Tensor h = model_.hidden(model::TokenBatch::plain(rows, state.length()), &state);
    return logits_ = model_.logits(ops::reshape(h, {h.dim(0), h.dim(-1)}));
  }
  fill(ids, state.length());
  state.open(inputs_[0].dim(0), 1);
  state_ = &state;
  logits_ = captured_.run(inputs_, graph::mixed(*key, state.memory()))[0];
  state.advance(1);
  return logits_;
}

}  // namespace lathe::generate
