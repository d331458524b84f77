#include "lathe/text/tokenize/tokenizer.h"

#include <array>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/text/tokenize/tiktoken_file.h"

namespace lathe::tokenize {

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string text;
  text.reserve(ids.size() * 4);
  for (const std::int32_t id : ids) text += token_bytes(id);
  return text;
}

std::optional<std::int32_t> Tokenizer::first_special(
    std::span<const std::string_view> names) const {
  for (const std::string_view name : names) {
    const std::optional<std::int32_t> id = id_of(name);
    if (id && is_special(*id)) return id;
  }
  return std::nullopt;
}

std::optional<std::int32_t> Tokenizer::eos_id() const {
  static constexpr std::array<std::string_view, 6> kNames = {
      "<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>", "<|eot_id|>", "<|im_end|>"};
  return first_special(kNames);
}

std::optional<std::int32_t> Tokenizer::bos_id() const {
  static constexpr std::array<std::string_view, 5> kNames = {"<s>", "<|begin_of_text|>", "<bos>",
                                                             "<|startoftext|>", "[CLS]"};
  return first_special(kNames);
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
