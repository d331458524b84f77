// The kinds of vocabularies that from_vocabulary() knows, one function each.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "lathe/text/tokenize/vocabulary.h"

namespace lathe::tokenize {

/// REQUIRES: id < parts.tokens.size(); token_type is empty or complete.
TokenType type_of(const VocabularyParts& parts, std::size_t id);

/// Throws kCorrupt where the id is missing or outside.
std::int32_t required_id(const VocabularyParts& parts, const std::optional<std::int32_t>& id,
                         std::string_view key);

/// Byte-level BPE, "gpt2".
std::unique_ptr<Tokenizer> byte_level_from(const VocabularyParts& parts);

}  // namespace lathe::tokenize
