// Vocabularies for GGUF files from tokenizers that were read from elsewhere.
#include <algorithm>
#include <unordered_map>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_level_bpe.h"
#include "lathe/text/tokenize/byte_tokens.h"
#include "lathe/text/tokenize/charsmap.h"
#include "lathe/text/tokenize/pipeline_tokenizer.h"
#include "lathe/text/tokenize/pre_names.h"
#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/vocabulary_kinds.h"
#include "lathe/text/tokenize/word_starts.h"

namespace lathe::tokenize {
namespace {

std::int32_t as_number(TokenType type) { return static_cast<std::int32_t>(type); }

/// Room for all ids; holes are unused tokens, named as llama.cpp names them.
void make_room(std::int64_t size, VocabularyParts& parts) {
  parts.tokens.resize(static_cast<std::size_t>(size));
  parts.token_type.assign(static_cast<std::size_t>(size), as_number(TokenType::kUnused));
  for (std::size_t id = 0; id < parts.tokens.size(); ++id)
    parts.tokens[id] = "[PAD" + std::to_string(id) + "]";
}

void put(std::int32_t id, std::string text, TokenType type, VocabularyParts& parts) {
  parts.tokens[static_cast<std::size_t>(id)] = std::move(text);
  parts.token_type[static_cast<std::size_t>(id)] = as_number(type);
}

/// What of a tokenizer.json says which kind it is, as one text.
std::string outline(const Json& part) {
  std::string text;
  part.write(text, 0);
  return text;
}

[[noreturn]] void no_form(std::string_view what) {
  fail(ErrorCode::kUnsupported,
       "tokenizer: {} has no form in GGUF's tokenizer.ggml fields; keep the tokenizer.json beside "
       "the file",
       what);
}

/// Scores that make SentencePiece's merging follow the ranks: the first merge that makes a token.
void scores_from_merges(const Json& model, VocabularyParts& parts) {
  std::unordered_map<std::string, std::int64_t> ranks;
  std::int64_t rank = 0;
  for (const Json& merge : model.get("merges", "model").as_array("model.merges")) {
    std::string whole;
    if (merge.is_array()) {
      for (const Json& part : merge.as_array("merge")) whole += part.as_string("merge");
    } else {
      for (const char c : merge.as_string("merge"))
        if (c != ' ') whole += c;
    }
    if (ranks.emplace(std::move(whole), rank).second) ++rank;
  }
  for (const std::string& token : parts.tokens) {
    const auto found = ranks.find(token);
    parts.scores.push_back(found == ranks.end() ? 0.0f : -static_cast<float>(found->second));
  }
}

void llama_from(const PipelineTokenizer& tokenizer, const Json& model, VocabularyParts& parts) {
  if (!model.get("continuing_subword_prefix", "model").is_null() &&
      !model.get("continuing_subword_prefix", "model").as_string("model").empty())
    no_form("a BPE with continuing_subword_prefix");
  if (outline(model.get("byte_fallback", "model")) != "true") no_form("a BPE without bytes");
  const std::string around = outline(tokenizer.root().get("normalizer", "tokenizer")) +
                             outline(tokenizer.root().get("pre_tokenizer", "tokenizer"));
  const bool marks = around.find(kWordMark) != std::string::npos;
  if (!marks) no_form("a BPE that does not write spaces as U+2581");
  const bool prepends = around.find("\"Prepend\"") != std::string::npos ||
                        around.find("\"always\"") != std::string::npos ||
                        around.find("\"first\"") != std::string::npos;
  parts.model = "llama";
  parts.pre = "default";
  parts.add_space_prefix = prepends;
  scores_from_merges(model, parts);
}

void t5_from(const PipelineTokenizer& tokenizer, const Json& model, VocabularyParts& parts) {
  parts.model = "t5";
  parts.pre = "default";
  parts.scores.assign(parts.tokens.size(), 0);
  std::size_t id = 0;
  for (const Json& entry : model.get("vocab", "model").as_array("model.vocab"))
    parts.scores[id++] =
        static_cast<float>(entry.as_array("model.vocab")[1].as_number("model.vocab"));
  const std::string normalizer = outline(tokenizer.root().get("normalizer", "tokenizer"));
  constexpr std::string_view kMap = "\"precompiled_charsmap\": \"";
  if (const std::size_t at = normalizer.find(kMap); at != std::string::npos) {
    const std::size_t begin = at + kMap.size();
    parts.precompiled_charsmap =
        from_base64(normalizer.substr(begin, normalizer.find('"', begin) - begin)).value_or("");
  }
  for (const char* name : {"Lowercase", "StripAccents", "NFKD", "NFKC", "NFD", "Nmt"})
    if (normalizer.find(std::string("\"") + name + "\"") != std::string::npos)
      no_form(std::string("the normalizer ") + name);
  const std::string pre = outline(tokenizer.root().get("pre_tokenizer", "tokenizer"));
  if (pre.find("Metaspace") == std::string::npos) no_form("a Unigram without Metaspace");
  parts.add_space_prefix = pre.find("\"never\"") == std::string::npos;
  parts.remove_extra_whitespaces = normalizer.find("{2,}") != std::string::npos ||
                                   pre.find("WhitespaceSplit") != std::string::npos;
}

void bert_from(const PipelineTokenizer& tokenizer, VocabularyParts& parts) {
  const Json& normalizer = tokenizer.root().get("normalizer", "tokenizer");
  const Json& pre = tokenizer.root().get("pre_tokenizer", "tokenizer");
  if (outline(pre).find("\"BertPreTokenizer\"") == std::string::npos ||
      outline(normalizer).find("\"BertNormalizer\"") == std::string::npos)
    no_form("a WordPiece without BERT's normalizer and pre-tokenizer");
  parts.model = "bert";
  parts.pre = "default";
  const Json& lowercase = normalizer.get("lowercase", "normalizer");
  parts.lowercase = lowercase.is_null() || lowercase.as_bool("normalizer.lowercase");
  const Json& accents = normalizer.get("strip_accents", "normalizer");
  parts.strip_accents =
      accents.is_null() ? *parts.lowercase : accents.as_bool("normalizer.strip_accents");
  for (std::size_t id = 0; id < parts.tokens.size(); ++id) {
    if (parts.token_type[id] != as_number(TokenType::kNormal)) continue;
    std::string& token = parts.tokens[id];
    token = token.starts_with("##") ? token.substr(2) : std::string(kWordMark) + token;
  }
}

}  // namespace

VocabularyParts parts_of(const ByteLevelBpe& tokenizer) {
  const ByteLevelBpeSpec& spec = tokenizer.spec();
  VocabularyParts parts;
  parts.model = "gpt2";
  const std::optional<std::string> name =
      name_of_pre_tokenizer(spec.pre_tokenizer, spec.ignore_merges);
  if (!name) no_form("this pre_tokenizer");
  parts.pre = *name;
  make_room(tokenizer.vocab_size(), parts);
  for (const auto& [text, id] : spec.vocab) put(id, text, TokenType::kNormal, parts);
  for (const AddedToken& token : spec.added)
    put(token.id, token.content, token.special ? TokenType::kControl : TokenType::kUserDefined,
        parts);
  for (const auto& [left, right] : spec.merges) parts.merges.push_back(left + " " + right);
  return parts;
}

VocabularyParts parts_of(const SentencePiece& tokenizer) {
  const SentencePieceSpec& spec = tokenizer.spec();
  if (spec.whitespace_as_suffix || !spec.escape_whitespaces)
    no_form("SentencePiece with spaces behind words or unescaped");
  VocabularyParts parts;
  parts.model = spec.unigram ? "t5" : "llama";
  parts.pre = "default";
  for (const SentencePieceSpec::Piece& piece : spec.pieces) {
    parts.tokens.push_back(piece.text);
    parts.scores.push_back(piece.score);
    parts.token_type.push_back(as_number(piece.type));
  }
  parts.precompiled_charsmap = spec.charsmap;
  parts.add_space_prefix = spec.add_dummy_prefix;
  if (spec.unigram) parts.remove_extra_whitespaces = spec.remove_extra_whitespaces;
  return parts;
}

VocabularyParts parts_of(const PipelineTokenizer& tokenizer) {
  const Json& model = tokenizer.root().get("model", "tokenizer");
  VocabularyParts parts;
  make_room(tokenizer.vocab_size(), parts);
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.has_id(id)) continue;
    const std::string& text = tokenizer.tokens().text(id);
    put(id, text, byte_of_token(text) ? TokenType::kByte : TokenType::kNormal, parts);
  }
  const std::optional<std::int32_t> unknown = tokenizer.role(Role::kUnknown);
  for (const AddedToken& token : tokenizer.added()) {
    const TokenType named = token.id == unknown ? TokenType::kUnknown : TokenType::kControl;
    put(token.id, token.content, token.special ? named : TokenType::kUserDefined, parts);
  }
  if (!model.get("merges", "model").is_null()) {
    llama_from(tokenizer, model, parts);
  } else if (model.get("vocab", "model").is_array()) {
    t5_from(tokenizer, model, parts);
  } else if (!model.get("max_input_chars_per_word", "model").is_null()) {
    bert_from(tokenizer, parts);
  } else {
    no_form("a model of whole words");
  }
  return parts;
}

}  // namespace lathe::tokenize
