#include "lathe/life/generate/token_reader.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::generate {
namespace {

constexpr std::size_t kChunk = 512;  // tokens that pass through the model at once

}  // namespace

void check_ids(const model::LanguageModel& model, std::span<const std::int32_t> ids) {
  if (ids.empty())
    fail(ErrorCode::kInvalidArgument, "generate: expected at least one token, got an empty prompt");
  const std::int64_t vocab = model.config().vocab;
  for (const std::int32_t id : ids)
    if (id < 0 || id >= vocab)
      fail(ErrorCode::kInvalidArgument,
           "generate: id {} lies outside the vocabulary, which runs from 0 to {}", id, vocab - 1);
}

Tensor advance(model::LanguageModel& model, model::ModelState& state,
               std::span<const std::int32_t> ids, model::Wanted wanted) {
  model.expect_pass(static_cast<std::int64_t>(ids.size()));
  const auto batch = model::TokenBatch::plain({{ids.begin(), ids.end()}}, state.length());
  const Tensor h = model.hidden(batch, &state, wanted);
  return ops::reshape(h, {h.dim(1), h.dim(-1)});
}

TokenReader::TokenReader(model::LanguageModel& model, std::int64_t capacity)
    : model_(model),
      state_(model.make_state(1, capacity)),
      step_(std::make_unique<DecodeStep>(model)) {}

void TokenReader::feed(std::span<const std::int32_t> part) {
  if (part.size() == 1) {
    logits_ = step_->run(*state_, part);
  } else {
    last_ = advance(model_, *state_, part, model::Wanted::last);
    logits_ = {};
  }
  ids_.insert(ids_.end(), part.begin(), part.end());
}

std::int64_t TokenReader::read(std::span<const std::int32_t> ids, const StopToken& cancel) {
  check_ids(model_, ids);
  if (static_cast<std::int64_t>(ids.size()) > capacity())
    fail(ErrorCode::kInvalidArgument, "generate: {} tokens do not fit a context of {}", ids.size(),
         capacity());
  const auto differ = std::mismatch(ids_.begin(), ids_.end(), ids.begin(), ids.end()).first;
  auto same = static_cast<std::size_t>(differ - ids_.begin());
  if (same == ids.size() && (same < ids_.size() || !whole_))
    --same;  // the last hidden state is not kept: once more
  same = static_cast<std::size_t>(state_->truncate(static_cast<std::int64_t>(same)));
  ids_.resize(same);
  whole_ = same == ids.size();
  for (std::size_t begin = same; begin < ids.size(); begin += kChunk) {
    if (cancel.requested()) break;
    feed(ids.subspan(begin, std::min(kChunk, ids.size() - begin)));
    whole_ = ids_.size() == ids.size();
  }
  return static_cast<std::int64_t>(ids_.size() - same);
}

void TokenReader::push(std::int32_t id) {
  whole_ = false;
  feed({&id, 1});
  whole_ = true;
}

std::span<const float> TokenReader::logits() {
  LATHE_CHECK(whole_);
  if (!logits_.defined()) logits_ = model_.logits(last_);
  return {logits_.data<float>(), static_cast<std::size_t>(logits_.count())};
}

}  // namespace lathe::generate
