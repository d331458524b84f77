#include "lathe/text/tokenize/vocabulary.h"

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_level_bpe.h"
#include "lathe/text/tokenize/pipeline_tokenizer.h"
#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/vocabulary_kinds.h"

namespace lathe::tokenize {
namespace {

void check_length(std::string_view name, std::size_t length, const VocabularyParts& parts) {
  if (length != 0 && length != parts.tokens.size())
    fail(ErrorCode::kCorrupt, "tokenizer.ggml.{}: expected {} entries, one a token, got {}", name,
         parts.tokens.size(), length);
}

void check(const VocabularyParts& parts) {
  if (parts.tokens.empty())
    fail(ErrorCode::kCorrupt, "tokenizer.ggml.tokens: expected tokens, got none");
  if (parts.tokens.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    fail(ErrorCode::kCorrupt, "tokenizer.ggml.tokens: expected fewer, got {}", parts.tokens.size());
  check_length("scores", parts.scores.size(), parts);
  check_length("token_type", parts.token_type.size(), parts);
  for (const std::int32_t type : parts.token_type)
    if (type < 0 || type > static_cast<std::int32_t>(TokenType::kByte))
      fail(ErrorCode::kCorrupt, "tokenizer.ggml.token_type: expected 0 to 6, got {}", type);
}

void set_roles(const VocabularyParts& parts, Tokenizer& tokenizer) {
  const auto size = static_cast<std::int64_t>(parts.tokens.size());
  const auto set = [&](Role role, const std::optional<std::int32_t>& id) {
    // Some files name an id that does not exist, for a role that nobody needs.
    if (id && *id >= 0 && *id < size) tokenizer.set_role(role, id);
  };
  set(Role::kBos, parts.bos);
  set(Role::kEos, parts.eos);
  set(Role::kEot, parts.eot);
  set(Role::kEom, parts.eom);
  set(Role::kUnknown, parts.unknown);
  set(Role::kPadding, parts.padding);
  set(Role::kSeparator, parts.separator);
  set(Role::kCls, parts.cls);
  set(Role::kMask, parts.mask);
}

}  // namespace

TokenType type_of(const VocabularyParts& parts, std::size_t id) {
  if (parts.token_type.empty()) return TokenType::kNormal;
  const std::int32_t type = parts.token_type[id];
  return type == 0 ? TokenType::kNormal : static_cast<TokenType>(type);
}

std::optional<NamedId> named_id(const VocabularyParts& parts, const std::optional<std::int32_t>& id,
                                bool wanted, std::string_view role) {
  if (!wanted) return std::nullopt;
  if (!id || *id < 0 || *id >= std::ssize(parts.tokens))
    fail(ErrorCode::kCorrupt, "tokenizer.ggml.{}_token_id: expected one of the {} ids, got {}",
         role, parts.tokens.size(), id ? std::to_string(*id) : "nothing");
  return NamedId{parts.tokens[static_cast<std::size_t>(*id)], *id};
}

std::unique_ptr<Tokenizer> from_vocabulary(VocabularyParts parts) {
  check(parts);
  std::unique_ptr<Tokenizer> tokenizer;
  if (parts.model == "gpt2") {
    tokenizer = byte_level_from(parts);
  } else if (parts.model == "llama" || parts.model == "t5") {
    tokenizer = sentencepiece_from(parts);
  } else if (parts.model == "bert") {
    tokenizer = word_piece_from(parts);
  } else {
    fail(ErrorCode::kUnsupported,
         "tokenizer.ggml.model: expected gpt2, llama, t5 or bert, got '{}'", parts.model);
  }
  set_roles(parts, *tokenizer);
  return tokenizer;
}

VocabularyParts vocabulary_of(const Tokenizer& tokenizer) {
  VocabularyParts parts;
  if (const auto* bpe = dynamic_cast<const ByteLevelBpe*>(&tokenizer)) {
    parts = parts_of(*bpe);
  } else if (const auto* pieces = dynamic_cast<const SentencePiece*>(&tokenizer)) {
    parts = parts_of(*pieces);
  } else if (const auto* pipeline = dynamic_cast<const PipelineTokenizer*>(&tokenizer)) {
    parts = parts_of(*pipeline);
  } else {
    fail(ErrorCode::kUnsupported, "tokenizer: this kind has no form in GGUF");
  }
  const std::span<const std::int32_t> before = tokenizer.sequence_prefix(),
                                      behind = tokenizer.sequence_suffix();
  if (before.size() > 1 || behind.size() > 1)
    fail(ErrorCode::kUnsupported,
         "post_processor: expected at most one token before and one behind a text, got {} and {}; "
         "GGUF has no field for more",
         before.size(), behind.size());
  const auto role = [&](Role role) { return tokenizer.role(role); };
  parts.bos = before.empty() ? role(Role::kBos) : before[0];
  parts.eos = role(Role::kEos);
  if (!behind.empty() && parts.model != "bert") parts.eos = behind[0];
  parts.eot = role(Role::kEot);
  parts.eom = role(Role::kEom);
  parts.unknown = role(Role::kUnknown);
  parts.padding = role(Role::kPadding);
  parts.separator = parts.model == "bert" && !behind.empty() ? behind[0] : role(Role::kSeparator);
  parts.cls = parts.model == "bert" ? parts.bos : role(Role::kCls);
  parts.mask = role(Role::kMask);
  parts.add_bos_token = !before.empty();
  parts.add_eos_token = parts.model != "bert" && !behind.empty();
  if (parts.model == "bert") parts.add_sep_token = !behind.empty();
  return parts;
}

}  // namespace lathe::tokenize
