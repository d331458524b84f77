// Byte-level BPE from a GGUF vocabulary: as llama.cpp reads it, so without a normaliser.
#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_level_bpe.h"
#include "lathe/text/tokenize/pre_names.h"
#include "lathe/text/tokenize/template_json.h"
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

/// Hugging Face tokenizers keeps the id of an added token only where model.vocab has it, too, or
/// where added tokens follow the vocabulary without a gap; another one silently gets the next free
/// id.
void keep_ids(ByteLevelBpeSpec& spec) {
  auto next = static_cast<std::int32_t>(spec.vocab.size());
  bool behind = true;
  for (const AddedToken& token : spec.added) behind = behind && token.id == next++;
  if (behind) return;
  for (const AddedToken& token : spec.added) spec.vocab.emplace_back(token.content, token.id);
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
  keep_ids(spec);
  for (std::size_t rank = 0; rank < parts.merges.size(); ++rank)
    spec.merges.push_back(split_merge(parts.merges[rank], rank));
  spec.post_processor =
      template_json(named_id(parts, parts.bos, parts.add_bos_token.value_or(named->add_bos), "bos"),
                    named_id(parts, parts.eos, parts.add_eos_token.value_or(false), "eos"));
  return std::make_unique<ByteLevelBpe>(std::move(spec));
}

}  // namespace lathe::tokenize
