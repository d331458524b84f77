// Continues token ids with a model. Speaks ids only; words are the caller's business.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lathe/base/stop.h"
#include "lathe/life/generate/sampler.h"
#include "lathe/model/model.h"

namespace lathe::generate {

struct GenerateOptions {
  std::int64_t tokens = 100;         // at most so many new ones
  std::optional<std::int32_t> stop;  // ends the text (it is not returned)
  SamplerOptions sampler;
  StopToken cancel;
};

/// Feeds the prompt, then one token at a time. `on_token` sees each new id as it is chosen and may
/// return false to end. Throws InvalidArgument on an empty prompt or an id outside the vocabulary.
std::vector<std::int32_t> generate(model::LanguageModel& model,
                                   const std::vector<std::int32_t>& prompt,
                                   const GenerateOptions& options,
                                   const std::function<bool(std::int32_t)>& on_token = {});

struct TopToken {
  std::int32_t id;
  float logprob;
};

struct Scores {
  std::vector<float> logprobs;             // of ids[1..], natural logarithms; one fewer than ids
  std::vector<std::vector<TopToken>> top;  // per position from the second on, if asked for
};

/// Log-probability of each id after those before it; the `top` best ids a position. Long texts pass
/// through the cache in chunks, which gives the same bits.
Scores score(model::LanguageModel& model, const std::vector<std::int32_t>& ids, std::int64_t top);

}  // namespace lathe::generate
