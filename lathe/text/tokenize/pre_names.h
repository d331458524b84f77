// The names by which GGUF files say how a text is cut before merging ("tokenizer.ggml.pre").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/json_tree.h"

namespace lathe::tokenize {

/// What a name stands for.
struct NamedPreTokenizer {
  Json pre_tokenizer;          // as in a tokenizer.json
  bool ignore_merges = false;  // a word that is a token is that token, merges or not
  bool add_bos = false;        // where the file does not say
};

/// Nothing for a name that is not known; "" is "default".
std::optional<NamedPreTokenizer> named_pre_tokenizer(std::string_view name);

/// All names that are known.
std::vector<std::string_view> pre_tokenizer_names();

/// The name under which a tokenizer.json's "pre_tokenizer" is known; nothing where it has none.
std::optional<std::string> name_of_pre_tokenizer(const Json& pre_tokenizer, bool ignore_merges);

}  // namespace lathe::tokenize
