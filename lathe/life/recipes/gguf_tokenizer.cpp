#include "lathe/life/recipes/gguf_tokenizer.h"

#include <cmath>
#include <limits>

#include "lathe/base/error.h"
#include "lathe/base/log.h"

namespace lathe::recipes {
namespace {

using tokenize::TokenType;
using tokenize::VocabularyParts;
using weights::GgufMetadata;
using weights::GgufType;
using weights::GgufValue;

const std::string kPrefix = "tokenizer.ggml.";

struct IdKey {
  const char* key;
  std::optional<std::int32_t> VocabularyParts::*id;
};
constexpr IdKey kIds[] = {
    {"bos_token_id", &VocabularyParts::bos},
    {"eos_token_id", &VocabularyParts::eos},
    {"eot_token_id", &VocabularyParts::eot},
    {"eom_token_id", &VocabularyParts::eom},
    {"unknown_token_id", &VocabularyParts::unknown},
    {"padding_token_id", &VocabularyParts::padding},
    {"seperator_token_id", &VocabularyParts::separator},  // as the format spells it
    {"cls_token_id", &VocabularyParts::cls},
    {"mask_token_id", &VocabularyParts::mask},
};

struct FlagKey {
  const char* key;
  std::optional<bool> VocabularyParts::*flag;
};
constexpr FlagKey kFlags[] = {
    {"add_bos_token", &VocabularyParts::add_bos_token},
    {"add_eos_token", &VocabularyParts::add_eos_token},
    {"add_sep_token", &VocabularyParts::add_sep_token},
    {"add_space_prefix", &VocabularyParts::add_space_prefix},
    {"remove_extra_whitespaces", &VocabularyParts::remove_extra_whitespaces},
    {"normalizer.lowercase", &VocabularyParts::lowercase},
    {"normalizer.strip_accents", &VocabularyParts::strip_accents},
};

std::vector<std::string> strings(const GgufMetadata& m, const char* key) {
  std::vector<std::string> out;
  if (const GgufValue* list = m.list(kPrefix + key, GgufType::string))
    for (std::size_t i = 0; i < list->count(); ++i) out.emplace_back(list->text(i));
  return out;
}

std::vector<float> scores(const GgufMetadata& m) {
  std::vector<float> out;
  const GgufValue* list = m.list(kPrefix + "scores", GgufType::f32);
  for (std::size_t i = 0; list != nullptr && i < list->count(); ++i) {
    out.push_back(static_cast<float>(list->number(i)));
    if (std::isnan(out.back()))
      fail(ErrorCode::kCorrupt, "metadata '{}scores': entry {} is not a number", kPrefix, i);
  }
  return out;
}

std::vector<std::int32_t> token_types(const GgufMetadata& m) {
  std::vector<std::int32_t> out;
  const GgufValue* list = m.find(kPrefix + "token_type");
  if (list == nullptr) return out;
  if (list->type() != GgufType::u32) list = m.list(kPrefix + "token_type", GgufType::i32);
  for (std::size_t i = 0; i < list->count(); ++i) {
    const std::int64_t type = list->integer(i);
    if (type < 0 || type > static_cast<std::int64_t>(TokenType::kByte))
      fail(ErrorCode::kCorrupt, "metadata '{}token_type': entry {} is {}", kPrefix, i, type);
    out.push_back(static_cast<std::int32_t>(type));
  }
  return out;
}

std::optional<std::int32_t> token_id(const GgufMetadata& m, const char* key, std::size_t tokens) {
  const auto id = m.integer(kPrefix + key);
  if (!id) return {};
  // Some writers put -1 (as u32) for "none".
  if (*id == -1 || *id == std::numeric_limits<std::uint32_t>::max()) return {};
  if (*id < 0 || *id >= static_cast<std::int64_t>(tokens))
    fail(ErrorCode::kCorrupt, "metadata '{}{}': expected an id below {}, got {}", kPrefix, key,
         tokens, *id);
  return static_cast<std::int32_t>(*id);
}

std::string charsmap(const GgufMetadata& m) {
  const GgufValue* value = m.find(kPrefix + "precompiled_charsmap");
  if (value == nullptr) return "";
  if (!value->is_array() || (value->type() != GgufType::u8 && value->type() != GgufType::i8))
    fail(ErrorCode::kCorrupt, "metadata '{}precompiled_charsmap': expected a list of bytes",
         kPrefix);
  return std::string(value->bytes());
}

template <typename T>
void set_list(GgufMetadata& m, const char* key, const std::vector<T>& values) {
  if (!values.empty()) m.set(kPrefix + key, GgufValue(std::span<const T>(values)));
}

/// One token for each row of the embedding.
void pad(VocabularyParts& parts, std::int64_t rows) {
  const auto n = static_cast<std::size_t>(rows);
  if (parts.token_type.empty())
    parts.token_type.assign(parts.tokens.size(), static_cast<std::int32_t>(TokenType::kNormal));
  if (parts.tokens.size() > n)
    fail(ErrorCode::kInvalidArgument, "the tokenizer has {} tokens, the embedding {} rows",
         parts.tokens.size(), n);
  const bool scored = !parts.scores.empty();
  while (parts.tokens.size() < n) {
    parts.tokens.push_back(fmt::format("[PAD{}]", parts.tokens.size()));
    parts.token_type.push_back(static_cast<std::int32_t>(TokenType::kUnused));
    if (scored) parts.scores.push_back(-10000);
  }
}

}  // namespace

VocabularyParts read_vocabulary(const GgufMetadata& m) {
  VocabularyParts parts;
  parts.model = m.text(kPrefix + "model").value_or("");
  parts.pre = m.text(kPrefix + "pre").value_or("");
  parts.tokens = strings(m, "tokens");
  parts.scores = scores(m);
  parts.token_type = token_types(m);
  parts.merges = strings(m, "merges");
  parts.precompiled_charsmap = charsmap(m);
  for (const IdKey& key : kIds) parts.*key.id = token_id(m, key.key, parts.tokens.size());
  for (const FlagKey& key : kFlags) parts.*key.flag = m.boolean(kPrefix + key.key);
  return parts;
}

void write_vocabulary(VocabularyParts parts, std::int64_t rows, GgufMetadata& m) {
  pad(parts, rows);
  m.set(kPrefix + "model", parts.model);
  if (!parts.pre.empty()) m.set(kPrefix + "pre", parts.pre);
  set_list(m, "tokens", parts.tokens);
  set_list(m, "scores", parts.scores);
  set_list(m, "token_type", parts.token_type);
  set_list(m, "merges", parts.merges);
  if (!parts.precompiled_charsmap.empty())
    m.set(kPrefix + "precompiled_charsmap",
          GgufValue::packed(GgufType::u8, true, parts.precompiled_charsmap));
  for (const IdKey& key : kIds)
    if (parts.*key.id) m.set(kPrefix + key.key, static_cast<std::uint32_t>(*(parts.*key.id)));
  for (const FlagKey& key : kFlags)
    if (parts.*key.flag) m.set(kPrefix + key.key, *(parts.*key.flag));
}

std::unique_ptr<tokenize::Tokenizer> gguf_tokenizer(const GgufMetadata& m) {
  const std::string model = m.text(kPrefix + "model").value_or("none");
  const auto json = m.text(kGgufTokenizerJson);
  if (model == "none" || model == "no_vocab")
    return json ? tokenize::parse_tokenizer(*json) : nullptr;
  try {
    return tokenize::from_vocabulary(read_vocabulary(m));
  } catch (const Error& error) {
    if (!json || error.code() != ErrorCode::kUnsupported) throw;
    log::info("{}; going by the tokenizer.json in the file", error.message());
    return tokenize::parse_tokenizer(*json);
  }
}

}  // namespace lathe::recipes
