// SentencePiece from a GGUF vocabulary, as llama.cpp reads it.
#include "lathe/base/error.h"
#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/vocabulary_kinds.h"

namespace lathe::tokenize {

std::unique_ptr<Tokenizer> sentencepiece_from(const VocabularyParts& parts) {
  SentencePieceSpec spec;
  spec.like_llama_cpp = true;
  spec.unigram = parts.model == "t5";
  if (parts.scores.empty())
    fail(ErrorCode::kCorrupt, "tokenizer.ggml.scores: expected {} scores, got none",
         parts.tokens.size());
  for (std::size_t i = 0; i < parts.tokens.size(); ++i)
    spec.pieces.push_back({parts.tokens[i], parts.scores[i], type_of(parts, i)});
  spec.charsmap = parts.precompiled_charsmap;
  spec.add_dummy_prefix = parts.add_space_prefix.value_or(true);
  spec.remove_extra_whitespaces = spec.unigram && parts.remove_extra_whitespaces.value_or(true);
  const bool bos = parts.add_bos_token.value_or(!spec.unigram);
  const bool eos = parts.add_eos_token.value_or(spec.unigram);
  const auto id_of = [](const std::optional<NamedId>& token) { return token ? token->id : -1; };
  spec.bos = id_of(named_id(parts, parts.bos, bos, "bos"));
  spec.eos = id_of(named_id(parts, parts.eos, eos, "eos"));
  spec.add_bos = bos;
  spec.add_eos = eos;
  // llama.cpp's own default ids: 0 for what is unknown, 2 in Unigram models.
  spec.unknown = parts.unknown.value_or(spec.unigram ? 2 : 0);
  if (spec.unknown < 0 || spec.unknown >= std::ssize(parts.tokens)) spec.unknown = -1;
  return std::make_unique<SentencePiece>(std::move(spec));
}

}  // namespace lathe::tokenize
