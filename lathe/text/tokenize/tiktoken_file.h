// tiktoken's files: ranks ("base64 rank" a line) and a JSON beside them with the pattern.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/text/tokenize/byte_level_bpe.h"

namespace lathe::tokenize {

struct TiktokenParts {
  std::string_view ranks;  // contents of the .tiktoken file
  std::string pattern;     // "pat_str"
  std::vector<std::pair<std::string, std::int32_t>> special_tokens;
};

/// The same ids as tiktoken. Throws kCorrupt with the line, and as load_tokenizer does.
std::unique_ptr<ByteLevelBpe> from_tiktoken(const TiktokenParts& parts);

/// As from_tiktoken, with `meta` = {"pat_str": ..., "special_tokens": {name: id}, ...}.
std::unique_ptr<ByteLevelBpe> from_tiktoken(std::string_view ranks, std::string_view meta);

}  // namespace lathe::tokenize
