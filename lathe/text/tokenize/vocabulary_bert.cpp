// WordPiece from a GGUF vocabulary. There a token that starts a word is written with U+2581 before
// it and one that continues a word without "##"; here they are put back as BERT has them.
#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/vocabulary_kinds.h"
#include "lathe/text/tokenize/word_starts.h"

namespace lathe::tokenize {
namespace {

std::string bert_text(const std::string& token, TokenType type) {
  if (type != TokenType::kNormal) return token;
  if (token.starts_with(kWordMark)) return token.substr(kWordMark.size());
  // Names of special tokens, which some files mark as normal.
  if (token.size() > 2 && token.front() == '[' && token.back() == ']') return token;
  return "##" + token;
}

void put_text(const char* key, std::string_view text, std::string& json) {
  json += std::string("\"") + key + "\":";
  write_json_string(text, json);
}

}  // namespace

std::unique_ptr<Tokenizer> word_piece_from(const VocabularyParts& parts) {
  const bool lowercase = parts.lowercase.value_or(true);
  const bool strip = parts.strip_accents.value_or(lowercase);
  Json::Object vocab;
  Json::Array added;
  std::optional<std::string> unknown;
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    const auto id = static_cast<std::int64_t>(i);
    const TokenType type = type_of(parts, i);
    const std::string text = bert_text(parts.tokens[i], type);
    vocab.emplace_back(text, Json(id));
    if (parts.unknown == static_cast<std::int32_t>(i)) unknown = text;
    if (type == TokenType::kNormal || type == TokenType::kByte) continue;
    added.push_back(Json(Json::Object{{"id", Json(id)},
                                      {"content", Json(text)},
                                      {"single_word", Json(false)},
                                      {"lstrip", Json(false)},
                                      {"rstrip", Json(false)},
                                      {"normalized", Json(false)},
                                      {"special", Json(type != TokenType::kUserDefined)}}));
  }
  std::string json = R"({"version":"1.0","added_tokens":)";
  Json(std::move(added)).write(json, 0);
  json +=
      R"(,"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,)";
  json += std::string("\"strip_accents\":") + (strip ? "true" : "false") +
          ",\"lowercase\":" + (lowercase ? "true" : "false") + "}";
  json += R"(,"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":)";
  const std::optional<std::int32_t> first = parts.cls ? parts.cls : parts.bos;
  template_json(named_id(parts, first, parts.add_bos_token.value_or(first.has_value()), "cls"),
                named_id(parts, parts.separator,
                         parts.add_sep_token.value_or(parts.separator.has_value()), "seperator"))
      .write(json, 0);
  json +=
      R"(,"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"model":{"type":"WordPiece",)";
  put_text("unk_token", unknown.value_or("[UNK]"), json);
  json += R"(,"continuing_subword_prefix":"##","max_input_chars_per_word":)";
  // llama.cpp cuts words of any length.
  json += "1000000000,\"vocab\":";
  Json(std::move(vocab)).write(json, 0);
  json += "}}";
  return parse_tokenizer(json);
}

}  // namespace lathe::tokenize
