#include "lathe/text/tokenize/tokenizer.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/tiktoken_file.h"

namespace lathe::tokenize {

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  if (!skip_special) return decode_ids(ids);
  std::vector<std::int32_t> wanted;
  wanted.reserve(ids.size());
  for (const std::int32_t id : ids)
    if (!is_special(id)) wanted.push_back(id);
  return decode_ids(wanted);
}

std::string Tokenizer::decode_ids(std::span<const std::int32_t> ids) const {
  std::string text;
  text.reserve(ids.size() * 4);
  for (const std::int32_t id : ids) text += token_bytes(id);
  return text;
}

void Tokenizer::check_id(std::int32_t id) const {
  if (!has_id(id))
    fail(ErrorCode::kInvalidArgument,
         "token id: expected one of the {} ids of this tokenizer, got {}", vocab_size(), id);
}

std::optional<std::int32_t> Tokenizer::first_special(
    std::span<const std::string_view> names) const {
  for (const std::string_view name : names) {
    const std::optional<std::int32_t> id = id_of(name);
    if (id && is_special(*id)) return id;
  }
  return std::nullopt;
}

namespace {

using Names = std::span<const std::string_view>;

constexpr std::string_view kBosNames[] = {"<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>",
                                          "[CLS]"};
constexpr std::string_view kEosNames[] = {"<|endoftext|>", "</s>",       "<|end_of_text|>",
                                          "<eos>",         "<|eot_id|>", "<|im_end|>"};
constexpr std::string_view kEotNames[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",
                                          "<turn|>"};
constexpr std::string_view kEomNames[] = {"<|eom_id|>"};
constexpr std::string_view kUnknownNames[] = {"<unk>", "[UNK]", "<|unk|>"};
constexpr std::string_view kPaddingNames[] = {"<pad>", "[PAD]", "<|pad|>",
                                              "<|finetune_right_pad_id|>"};
constexpr std::string_view kSeparatorNames[] = {"[SEP]"};
constexpr std::string_view kClsNames[] = {"[CLS]"};
constexpr std::string_view kMaskNames[] = {"[MASK]", "<mask>"};
/// Ends of turns that some models write without naming them in their files.
constexpr std::string_view kStopNames[] = {"<|eot_id|>",    "<|im_end|>",      "<|end|>",
                                           "<end_of_turn>", "<|endoftext|>",   "<|eom_id|>",
                                           "<EOT>",         "<|end_of_text|>", "<turn|>"};

Names names_of(Role role) {
  switch (role) {
    case Role::kBos:
      return kBosNames;
    case Role::kEos:
      return kEosNames;
    case Role::kEot:
      return kEotNames;
    case Role::kEom:
      return kEomNames;
    case Role::kUnknown:
      return kUnknownNames;
    case Role::kPadding:
      return kPaddingNames;
    case Role::kSeparator:
      return kSeparatorNames;
    case Role::kCls:
      return kClsNames;
    case Role::kMask:
      return kMaskNames;
  }
  return {};
}

}  // namespace

std::optional<std::int32_t> Tokenizer::role(Role role) const {
  const std::optional<std::int32_t> given = roles_[static_cast<std::size_t>(role)];
  return given ? given : first_special(names_of(role));
}

void Tokenizer::set_role(Role role, std::optional<std::int32_t> id) {
  if (id && !has_id(*id))
    fail(ErrorCode::kCorrupt, "special token: expected one of the {} ids of the tokenizer, got {}",
         vocab_size(), *id);
  roles_[static_cast<std::size_t>(role)] = id;
}

std::vector<std::int32_t> Tokenizer::stop_ids() const {
  std::vector<std::int32_t> ids;
  for (const Role role : {Role::kEos, Role::kEot, Role::kEom})
    if (const std::optional<std::int32_t> id = this->role(role)) ids.push_back(*id);
  for (const std::string_view name : kStopNames) {
    const std::optional<std::int32_t> id = id_of(name);
    if (id && is_special(*id)) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::vector<std::int32_t> Tokenizer::encode_sequence(std::string_view text,
                                                     bool parse_special) const {
  const std::span<const std::int32_t> prefix = sequence_prefix(), suffix = sequence_suffix();
  std::vector<std::int32_t> ids(prefix.begin(), prefix.end());
  encode_to(text, parse_special, ids);
  ids.insert(ids.end(), suffix.begin(), suffix.end());
  return ids;
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& tokenizer_json) {
  std::string path = tokenizer_json.string();
  if (real_files().is_directory(path)) path = join_path(path, "tokenizer.json");
  const MappedFile file = real_files().map(path);
  try {
    if (tokenizer_json.extension() == ".tiktoken") {
      std::filesystem::path meta = tokenizer_json;
      return from_tiktoken(file.bytes(), real_files().read_all(meta.replace_extension(".json")));
    }
    if (tokenizer_json.extension() == ".model") return parse_sentencepiece(file.bytes());
    return parse_tokenizer(file.bytes());
  } catch (Error& error) {
    error.within(path);
    throw;
  }
}

void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& path) {
  write_file_atomically(real_files(), path.string(), tokenizer.to_json());
}

}  // namespace lathe::tokenize
