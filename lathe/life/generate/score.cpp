#include "lathe/life/generate/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/generate/token_reader.h"

namespace lathe::generate {
namespace {

constexpr std::int64_t kChunk = 512;     // tokens that pass through the model at once
constexpr std::int64_t kHeadChunk = 64;  // rows of the vocabulary's size at once

using OnRow = std::function<void(std::int64_t row, const float* logprobs)>;

/// Calls back with the log-probabilities [V] of rows [begin, end) of hidden states [n,C].
void each_row(model::LanguageModel& model, const Tensor& h, std::int64_t begin, std::int64_t end,
              const OnRow& on_row) {
  for (std::int64_t from = begin; from < end; from += kHeadChunk) {
    const std::int64_t to = std::min(end, from + kHeadChunk);
    const Tensor logprobs = ops::log_softmax(model.logits(ops::slice(h, 0, from, to)));
    const std::int64_t vocab = logprobs.dim(-1);
    for (std::int64_t row = from; row < to; ++row)
      on_row(row, logprobs.data<float>() + (row - from) * vocab);
  }
}

std::vector<TopToken> best(const float* row, std::int64_t vocab, std::int64_t top) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(vocab));
  std::iota(order.begin(), order.end(), 0);
  const auto k = static_cast<std::ptrdiff_t>(std::min(top, vocab));
  std::partial_sort(
      order.begin(), order.begin() + k, order.end(),
      [row](std::int32_t a, std::int32_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
  std::vector<TopToken> tokens;
  for (std::ptrdiff_t i = 0; i < k; ++i) {
    const std::int32_t id = order[static_cast<std::size_t>(i)];
    tokens.push_back({id, row[id]});
  }
  return tokens;
}

}  // namespace

Scores score(model::LanguageModel& model, std::span<const std::int32_t> ids, std::int64_t top) {
  check_ids(model, ids);
  Scores scores;
  const auto n = static_cast<std::int64_t>(ids.size());
  const std::int64_t vocab = model.config().vocab;
  const auto state = model.make_state(1, n);
  for (std::int64_t begin = 0; begin + 1 < n; begin += kChunk) {
    const std::int64_t count = std::min(n - 1 - begin, kChunk);
    const auto part = ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    const Tensor h = advance(model, *state, part);
    each_row(model, h, 0, count, [&](std::int64_t row, const float* logprobs) {
      scores.logprobs.push_back(logprobs[ids[static_cast<std::size_t>(begin + row + 1)]]);
      if (top > 0) scores.top.push_back(best(logprobs, vocab, top));
    });
  }
  return scores;
}

Perplexity perplexity(model::LanguageModel& model, std::span<const std::int32_t> ids,
                      const PerplexityOptions& options,
                      const std::function<void(const Perplexity&)>& on_chunk) {
  const std::int64_t context = options.context;
  const auto n = static_cast<std::int64_t>(ids.size());
  if (n < 2 * context)
    fail(ErrorCode::kInvalidArgument,
         "perplexity: expected at least {} tokens for chunks of {}, got {}; give a longer text or "
         "a smaller --context",
         2 * context, context, n);
  check_ids(model, ids);
  std::int64_t chunks = n / context;
  if (options.chunks > 0) chunks = std::min(chunks, options.chunks);
  Perplexity p;
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < chunks && !options.cancel.requested(); ++i) {
    const auto begin = ids.begin() + i * context;
    std::vector<std::int32_t> chunk(begin, begin + context);
    if (options.bos) chunk[0] = *options.bos;
    const Tensor hidden = model.hidden(model::TokenBatch::plain({chunk}));
    const Tensor h = ops::reshape(hidden, {context, hidden.dim(-1)});
    each_row(model, h, context / 2, context - 1, [&](std::int64_t row, const float* logprobs) {
      const double nll = -static_cast<double>(logprobs[chunk[static_cast<std::size_t>(row + 1)]]);
      sum += nll;
      squares += nll * nll;
      ++p.scored;
    });
    p.chunks = i + 1;
    const auto count = static_cast<double>(p.scored);
    const double mean = sum / count;
    p.value = std::exp(mean);
    const double variance = std::max(0.0, squares / count - mean * mean);
    p.error = p.scored > 1 ? std::sqrt(variance / (count - 1)) * p.value : 0;
    if (on_chunk) on_chunk(p);
  }
  return p;
}

}  // namespace lathe::generate
