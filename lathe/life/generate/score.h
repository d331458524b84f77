// How probable a model finds given texts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lathe/base/stop.h"
#include "lathe/model/model.h"

namespace lathe::generate {

struct TopToken {
  std::int32_t id;
  float logprob;
};

struct Scores {
  std::vector<float> logprobs;             // of ids[1..], natural logarithms; one fewer than ids
  std::vector<std::vector<TopToken>> top;  // per position from the second on, if asked for
};

/// Log-probability of each id after those before it; the `top` best ids a position. Long texts pass
/// through the cache in chunks, which gives the same bits. Throws InvalidArgument for an empty text
/// and ids outside the vocabulary.
Scores score(model::LanguageModel& model, std::span<const std::int32_t> ids, std::int64_t top);

struct Perplexity {
  double value = 0;         // exp(mean negative log-likelihood)
  double error = 0;         // standard error of the value
  std::int64_t scored = 0;  // tokens that were
  std::int64_t chunks = 0;  // so far
  double kl = 0;            // compare_exact: mean of KL(exact || as computed), nats
  double same_best = 0;     // compare_exact: share of places where both name the same best token
};

struct PerplexityOptions {
  std::int64_t context = 512;       // tokens a chunk
  std::int64_t chunks = 0;          // at most so many; 0: all
  std::optional<std::int32_t> bos;  // takes the place of the first token of each chunk
  // Each chunk runs once more with quantised weights multiplied exactly (Parameter::set_exact).
  bool compare_exact = false;
  StopToken cancel;
};

/// Perplexity by llama.cpp's protocol: the text is cut in chunks of `context` tokens, a rest is
/// dropped; in each, the tokens of the second half are scored, given those before them, except for
/// the first one of that half. The error is that of the mean, by the deviation of single tokens.
/// `on_chunk` sees the running value. Throws InvalidArgument for a text of less than two chunks.
Perplexity perplexity(model::LanguageModel& model, std::span<const std::int32_t> ids,
                      const PerplexityOptions& options,
                      const std::function<void(const Perplexity&)>& on_chunk = {});

}  // namespace lathe::generate
