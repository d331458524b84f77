#include "lathe/life/recipes/write_text.h"

#include "lathe/base/error.h"
#include "lathe/life/recipes/stop_strings.h"
#include "lathe/text/tokenize/stream_decoder.h"

namespace lathe::recipes {
namespace {

WrittenText write_ids(generate::TokenReader& reader, std::span<const std::int32_t> prompt,
                      const TextOptions& options) {
  if (!options.stop.empty())
    fail(ErrorCode::kInvalidArgument,
         "stop: '{}' is text, and the model has no tokenizer to read text with",
         options.stop.front());
  return {.generation = generate::generate(reader, prompt, options.generate)};
}

}  // namespace

WrittenText write_text(generate::TokenReader& reader, const tokenize::Tokenizer* words,
                       std::span<const std::int32_t> prompt, const TextOptions& options,
                       const std::function<void(std::string_view)>& on_text) {
  if (words == nullptr) return write_ids(reader, prompt, options);
  const tokenize::Tokenizer& tokenizer = *words;
  WrittenText out;
  generate::GenerateOptions request = options.generate;
  for (const std::string& text : options.stop)
    if (const auto id = tokenizer.id_of(text); id && tokenizer.is_special(*id))
      request.stop_ids.push_back(*id);
  StopStrings stops(options.stop);
  tokenize::StreamDecoder decoder(tokenizer);
  const auto show = [&](const std::string& text) {
    out.text += text;
    if (on_text && !text.empty()) on_text(text);
  };
  out.generation = generate::generate(reader, prompt, request, [&](std::int32_t id) {
    if (options.special || !tokenizer.is_special(id)) show(stops.push(decoder.push(id)));
    return !stops.matched();
  });
  if (!stops.matched()) {
    show(stops.push(decoder.finish()));
    if (!stops.matched()) show(stops.finish());
  }
  out.stop_text = stops.match();
  return out;
}

}  // namespace lathe::recipes
