// The kinds of vocabularies that from_vocabulary() knows, one function each.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "lathe/text/tokenize/template_json.h"
#include "lathe/text/tokenize/vocabulary.h"

namespace lathe::tokenize {

/// REQUIRES: id < parts.tokens.size(); token_type is empty or complete.
TokenType type_of(const VocabularyParts& parts, std::size_t id);

/// The token of a role where it is `wanted`. Throws kCorrupt where its id is missing or outside.
std::optional<NamedId> named_id(const VocabularyParts& parts, const std::optional<std::int32_t>& id,
                                bool wanted, std::string_view role);

/// Byte-level BPE, "gpt2".
std::unique_ptr<Tokenizer> byte_level_from(const VocabularyParts& parts);

/// SentencePiece, "llama" (BPE) and "t5" (Unigram).
std::unique_ptr<Tokenizer> sentencepiece_from(const VocabularyParts& parts);

/// WordPiece, "bert".
std::unique_ptr<Tokenizer> word_piece_from(const VocabularyParts& parts);

// The other way round, each for one class of tokenizers.
class ByteLevelBpe;
class PipelineTokenizer;
class SentencePiece;
VocabularyParts parts_of(const ByteLevelBpe& tokenizer);
VocabularyParts parts_of(const SentencePiece& tokenizer);
VocabularyParts parts_of(const PipelineTokenizer& tokenizer);

}  // namespace lathe::tokenize
