#include "lathe/life/generate/generator.h"

#include <algorithm>
#include <numeric>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::generate {
namespace {

constexpr std::int64_t kChunk = 512;  // tokens of a prompt that pass through the model at once

void check_ids(const model::LanguageModel& model, const std::vector<std::int32_t>& ids) {
  if (ids.empty())
    fail(ErrorCode::kInvalidArgument, "generate: expected at least one token, got an empty prompt");
  for (const std::int32_t id : ids)
    if (id < 0 || id >= model.config().vocab)
      fail(ErrorCode::kInvalidArgument, "generate: id {} lies outside the vocabulary of {}", id,
           model.config().vocab);
}

/// Hidden states of ids[begin, end) behind what the state holds. Shapes: [n,C].
Tensor advance(model::LanguageModel& model, model::ModelState& state,
               const std::vector<std::int32_t>& ids, std::int64_t begin, std::int64_t end) {
  const std::vector<std::int32_t> part(ids.begin() + begin, ids.begin() + end);
  const auto batch = model::TokenBatch::plain({part}, state.length());
  const Tensor h = model.hidden(batch, &state);
  return ops::reshape(h, {end - begin, h.dim(-1)});
}

}  // namespace

std::vector<std::int32_t> generate(model::LanguageModel& model,
                                   const std::vector<std::int32_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<bool(std::int32_t)>& on_token) {
  check_ids(model, prompt);
  const auto n = static_cast<std::int64_t>(prompt.size());
  const auto state = model.make_state(1, n + options.tokens);
  const Sampler sampler(options.sampler);
  Tensor last;  // [1,C]
  for (std::int64_t begin = 0; begin < n; begin += kChunk) {
    const Tensor h = advance(model, *state, prompt, begin, std::min(n, begin + kChunk));
    last = ops::slice(h, 0, h.dim(0) - 1, h.dim(0));
  }
  std::vector<std::int32_t> out;
  while (static_cast<std::int64_t>(out.size()) < options.tokens && !options.cancel.requested()) {
    const Tensor logits = model.logits(last);
    const std::int32_t id =
        sampler.pick({logits.data<float>(), static_cast<std::size_t>(logits.count())},
                     prompt.size() + out.size());
    if (options.stop && id == *options.stop) break;
    out.push_back(id);
    if (on_token && !on_token(id)) break;
    if (static_cast<std::int64_t>(out.size()) < options.tokens)
      last = advance(model, *state, out, static_cast<std::int64_t>(out.size()) - 1,
                     static_cast<std::int64_t>(out.size()));
  }
  return out;
}

Scores score(model::LanguageModel& model, const std::vector<std::int32_t>& ids, std::int64_t top) {
  check_ids(model, ids);
  Scores scores;
  const auto n = static_cast<std::int64_t>(ids.size());
  const std::int64_t vocab = model.config().vocab;
  const auto state = model.make_state(1, n);
  std::vector<std::int32_t> order(static_cast<std::size_t>(vocab));
  for (std::int64_t begin = 0; begin + 1 < n; begin += kChunk) {
    const std::int64_t end = std::min(n - 1, begin + kChunk);
    const Tensor logprobs = ops::log_softmax(model.logits(advance(model, *state, ids, begin, end)));
    for (std::int64_t t = begin; t < end; ++t) {
      const float* row = logprobs.data<float>() + (t - begin) * vocab;
      scores.logprobs.push_back(row[ids[static_cast<std::size_t>(t + 1)]]);
      if (top == 0) continue;
      std::iota(order.begin(), order.end(), 0);
      const auto k = static_cast<std::ptrdiff_t>(std::min(top, vocab));
      std::partial_sort(order.begin(), order.begin() + k, order.end(),
                        [row](std::int32_t a, std::int32_t b) {
                          return row[a] != row[b] ? row[a] > row[b] : a < b;
                        });
      auto& best = scores.top.emplace_back();
      for (std::ptrdiff_t i = 0; i < k; ++i)
        best.push_back(
            {order[static_cast<std::size_t>(i)], row[order[static_cast<std::size_t>(i)]]});
    }
  }
  return scores;
}

}  // namespace lathe::generate
