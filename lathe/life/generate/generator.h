// Continues token ids with a model. Speaks ids only; words are the caller's business.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "lathe/base/clock.h"
#include "lathe/base/stop.h"
#include "lathe/life/generate/sampler.h"
#include "lathe/life/generate/token_reader.h"
#include "lathe/model/model.h"

namespace lathe::generate {

struct GenerateOptions {
  std::int64_t tokens = 100;           // at most so many new ones
  std::vector<std::int32_t> stop_ids;  // each ends the text (it is not returned)
  SamplerOptions sampler;
  StopToken cancel;
  const Clock* clock = &steady_clock();
};

/// Why a generation ended.
enum class StopReason {
  kLength,     // all tokens that were asked for, or that fit
  kStopToken,  // one of stop_ids
  kCaller,     // on_token said so
  kCancelled
};
std::string_view name(StopReason reason);  // "length", "stop_token", "stop_text", "cancelled"

struct Generation {
  std::vector<std::int32_t> ids;
  StopReason reason = StopReason::kLength;
  std::int32_t stop_id = -1;         // which of stop_ids came
  std::int64_t prompt_tokens = 0;    // of the prompt
  std::int64_t computed_tokens = 0;  // of these, the ones that were not in the cache
  double prompt_seconds = 0, token_seconds = 0;
};

using OnToken = std::function<bool(std::int32_t)>;

/// Reads the prompt, then adds one token at a time. `on_token` sees each new id as it is chosen and
/// may return false to end. Penalties see the prompt, too. The reader keeps what was read: the
/// prompt and all new tokens but the last. Throws InvalidArgument on an empty prompt, one that does
/// not fit the reader, or an id outside the vocabulary.
Generation generate(TokenReader& reader, std::span<const std::int32_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token = {});

/// The same with a reader of its own.
Generation generate(model::LanguageModel& model, std::span<const std::int32_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token = {});

}  // namespace lathe::generate
