// The strings over which DRY follows no repetition, as tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::recipes {

/// llama.cpp's: line break, colon, double quote, asterisk.
std::vector<std::string> default_dry_breakers();

/// Sequences of tokens that contain one of the strings: single tokens that do, and tokens that end
/// with its beginning followed by the tokens of its rest (at most 20). O(vocabulary).
std::vector<std::vector<std::int32_t>> dry_breaker_tokens(const tokenize::Tokenizer& tokenizer,
                                                          const std::vector<std::string>& strings);

}  // namespace lathe::recipes
