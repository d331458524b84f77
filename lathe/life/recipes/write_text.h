// Words around generation: a prompt in ids, an answer in text as it is made.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/life/generate/generator.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::recipes {

struct TextOptions {
  generate::GenerateOptions generate;
  std::vector<std::string> stop;  // the text ends before the first of these
  bool special = false;           // special tokens are shown by their names
};

struct WrittenText {
  std::string text;                 // without the stop string
  std::string stop_text;            // the one that was found
  generate::Generation generation;  // its ids may reach behind the end of `text`
};

/// Continues the prompt. `on_text` sees whole characters as soon as they cannot belong to a stop
/// string; joined they are the text. A stop string that is the name of a special token ends the
/// text at that token. Without a tokenizer (null) there are ids and no text. Throws as
/// generate::generate(), and InvalidArgument for stop strings without a tokenizer.
WrittenText write_text(generate::TokenReader& reader, const tokenize::Tokenizer* tokenizer,
                       std::span<const std::int32_t> prompt, const TextOptions& options,
                       const std::function<void(std::string_view)>& on_text = {});

}  // namespace lathe::recipes
