// Byte-level BPE from a GGUF vocabulary: as llama.cpp reads it, so without a normaliser.
#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_level_bpe.h"
#include "lathe/text/tokenize/pre_names.h"
#include "lathe/text/tokenize/vocabulary_kinds.h"

namespace lathe::tokenize {
namespace {

std::pair<std::string, std::string> split_merge(const std::string& merge, std::size_t rank) {
  // A token may start with a space in the vocabularies of some converters; none is empty.
  const std::size_t space = merge.find(' ', 1);
  if (space == std::string::npos || space + 1 == merge.size())
    fail(ErrorCode::kCorrupt,
         "tokenizer.ggml.merges[{}]: expected two tokens with one space between, got '{}'", rank,
         merge);
  return {merge.substr(0, space), merge.substr(space + 1)};
}

/// "post_processor" that puts ids around a text.
Json template_around(const VocabularyParts& parts, std::optional<std::int32_t> before,
                     std::optional<std::int32_t> behind) {
  if (!before && !behind) return Json();
  Json::Array single;
  Json::Object specials;
  const auto add = [&](const std::optional<std::int32_t>& id) {
    if (!id) return;
    const std::string& name = parts.tokens[static_cast<std::size_t>(*id)];
    single.push_back(Json(Json::Object{
        {"SpecialToken",
         Json(Json::Object{{"id", Json(name)}, {"type_id", Json(std::int64_t{0})}})}}));
    for (const auto& [known, value] : specials)
      if (known == name) return;
    specials.emplace_back(name,
                          Json(Json::Object{{"id", Json(name)},
                                            {"ids", Json(Json::Array{Json(std::int64_t{*id})})},
                                            {"tokens", Json(Json::Array{Json(name)})}}));
  };
  add(before);
  const auto sequence = [](const char* id, std::int64_t type) {
    return Json(Json::Object{
        {"Sequence", Json(Json::Object{{"id", Json(std::string(id))}, {"type_id", Json(type)}})}});
  };
  single.push_back(sequence("A", 0));
  add(behind);
  Json::Array pair = single;
  pair.push_back(sequence("B", 1));
  return Json(Json::Object{{"type", Json(std::string("TemplateProcessing"))},
                           {"single", Json(std::move(single))},
                           {"pair", Json(std::move(pair))},
                           {"special_tokens", Json(std::move(specials))}});
}

}  // namespace

std::unique_ptr<Tokenizer> byte_level_from(const VocabularyParts& parts) {
  std::optional<NamedPreTokenizer> named = named_pre_tokenizer(parts.pre);
  if (!named)
    fail(ErrorCode::kUnsupported, "tokenizer.ggml.pre: '{}' is not implemented", parts.pre);
  ByteLevelBpeSpec spec;
  spec.ignore_merges = named->ignore_merges;
  spec.pre_tokenizer = std::move(named->pre_tokenizer);
  spec.decoder = parse_json(
      R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})");
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const TokenType type = type_of(parts, i);
    if (type == TokenType::kNormal || type == TokenType::kByte) {
      spec.vocab.emplace_back(parts.tokens[i], id);
    } else {
      spec.added.push_back({.id = id,
                            .content = parts.tokens[i],
                            .normalized = false,
                            .special = type != TokenType::kUserDefined});
    }
  }
  for (std::size_t rank = 0; rank < parts.merges.size(); ++rank)
    spec.merges.push_back(split_merge(parts.merges[rank], rank));
  std::optional<std::int32_t> before, behind;
  if (parts.add_bos_token.value_or(named->add_bos))
    before = required_id(parts, parts.bos, "bos_token_id");
  if (parts.add_eos_token.value_or(false)) behind = required_id(parts, parts.eos, "eos_token_id");
  spec.post_processor = template_around(parts, before, behind);
  return std::make_unique<ByteLevelBpe>(std::move(spec));
}

}  // namespace lathe::tokenize
