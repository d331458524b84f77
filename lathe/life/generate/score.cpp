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

/// Sums over the scored tokens.
struct PerplexitySums {
  double nll = 0, squares = 0, kl = 0;
  std::int64_t scored = 0, same_best = 0;

  void write(Perplexity& p) const {
    const auto count = static_cast<double>(scored);
    const double mean = nll / count;
    p.scored = scored;
    p.value = std::exp(mean);
    const double variance = std::max(0.0, squares / count - mean * mean);
    p.error = scored > 1 ? std::sqrt(variance / (count - 1)) * p.value : 0;
    p.kl = kl / count;
    p.same_best = static_cast<double>(same_best) / count;
  }
};

/// Calls back for the scored places of a chunk: those of its second half but for the first. With a
/// state keys and values pass through it, in its type.
void each_scored(model::LanguageModel& model, model::ModelState* state,
                 const std::vector<std::int32_t>& chunk, const OnRow& on_row) {
  const auto context = static_cast<std::int64_t>(chunk.size());
  if (state != nullptr) state->truncate(0);
  model.expect_pass(static_cast<std::int64_t>(chunk.size()));
  const Tensor hidden = model.hidden(model::TokenBatch::plain({chunk}), state);
  const Tensor h = ops::reshape(hidden, {context, hidden.dim(-1)});
  each_row(model, h, context / 2, context - 1, on_row);
}

void set_exact(model::LanguageModel& model, bool exact) {
  for (autograd::Parameter* p : model.parameters()) p->set_exact(exact);
}

/// KL(exact || as computed) of the places of a chunk; `computed` has their rows.
void add_divergence(model::LanguageModel& model, const std::vector<std::int32_t>& chunk,
                    const std::vector<float>& computed, PerplexitySums& sums) {
  set_exact(model, true);
  const float* row = computed.data();
  const std::int64_t vocab = model.config().vocab;
  each_scored(model, nullptr, chunk, [&](std::int64_t, const float* exact) {
    for (std::int64_t i = 0; i < vocab; ++i) {
      const auto logprob = static_cast<double>(exact[i]);
      if (std::isfinite(logprob)) sums.kl += std::exp(logprob) * (logprob - double{row[i]});
    }
    const auto best_of = [vocab](const float* x) { return std::max_element(x, x + vocab) - x; };
    sums.same_best += best_of(exact) == best_of(row) ? 1 : 0;
    row += vocab;
  });
  set_exact(model, false);
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
  const auto state = model.make_state(1, context);
  Perplexity p;
  PerplexitySums sums;
  for (std::int64_t i = 0; i < chunks && !options.cancel.requested(); ++i) {
    const auto begin = ids.begin() + i * context;
    std::vector<std::int32_t> chunk(begin, begin + context);
    if (options.bos) chunk[0] = *options.bos;
    std::vector<float> computed;
    each_scored(model, state.get(), chunk, [&](std::int64_t row, const float* logprobs) {
      const double nll = -static_cast<double>(logprobs[chunk[static_cast<std::size_t>(row + 1)]]);
      sums.nll += nll;
      sums.squares += nll * nll;
      ++sums.scored;
      if (options.compare_exact)
        computed.insert(computed.end(), logprobs, logprobs + model.config().vocab);
    });
    if (options.compare_exact) add_divergence(model, chunk, computed, sums);
    p.chunks = i + 1;
    sums.write(p);
    if (on_chunk) on_chunk(p);
  }
  return p;
}

}  // namespace lathe::generate
