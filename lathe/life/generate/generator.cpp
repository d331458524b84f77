#include "lathe/life/generate/generator.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::generate {

std::string_view name(StopReason reason) {
  switch (reason) {
    case StopReason::kLength:
      return "length";
    case StopReason::kStopToken:
      return "stop_token";
    case StopReason::kCaller:
      return "stop_text";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "";
}

Generation generate(TokenReader& reader, std::span<const std::int32_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token) {
  Generation out;
  out.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  const double begin = options.clock->seconds();
  out.computed_tokens = reader.read(prompt, options.cancel);
  const double start = options.clock->seconds();
  out.prompt_seconds = start - begin;
  Sampler sampler(options.sampler);
  sampler.accept(prompt);
  const auto count = [&] { return static_cast<std::int64_t>(out.ids.size()); };
  while (true) {
    if (!reader.whole() || options.cancel.requested()) {
      out.reason = StopReason::kCancelled;
      break;
    }
    if (count() >= options.tokens) break;
    const std::int32_t id = sampler.pick(reader.logits(), prompt.size() + out.ids.size());
    if (std::find(options.stop_ids.begin(), options.stop_ids.end(), id) != options.stop_ids.end()) {
      out.reason = StopReason::kStopToken;
      out.stop_id = id;
      break;
    }
    sampler.accept(id);
    out.ids.push_back(id);
    if (on_token && !on_token(id)) {
      out.reason = StopReason::kCaller;
      break;
    }
    if (count() >= options.tokens || reader.room() < 1) break;
    reader.push(id);
  }
  out.token_seconds = options.clock->seconds() - start;
  return out;
}

Generation generate(model::LanguageModel& model, std::span<const std::int32_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token) {
  TokenReader reader(model, static_cast<std::int64_t>(prompt.size()) +
                                std::max<std::int64_t>(options.tokens - 1, 0));
  return generate(reader, prompt, options, on_token);
}

}  // namespace lathe::generate
