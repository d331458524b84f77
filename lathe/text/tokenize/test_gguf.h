// A reader of the metadata of GGUF files, for tests of this folder only: trusts its input.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "lathe/text/tokenize/vocabulary.h"

namespace lathe::tokenize {

class TestGguf {
 public:
  explicit TestGguf(std::string_view bytes) : in_(bytes) {}

  VocabularyParts vocabulary() {
    VocabularyParts parts;
    in_.remove_prefix(16);
    for (auto left = take<std::uint64_t>(); left > 0; --left) entry(parts);
    return parts;
  }

 private:
  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto size = take<std::uint64_t>();
    std::string value(in_.substr(0, size));
    in_.remove_prefix(size);
    return value;
  }
  void skip(std::uint32_t type) {
    constexpr std::size_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8) {
      text();
    } else if (type == 9) {
      const auto element = take<std::uint32_t>();
      for (auto left = take<std::uint64_t>(); left > 0; --left) skip(element);
    } else {
      in_.remove_prefix(kSizes[type]);
    }
  }
  template <typename T, typename Read>
  std::vector<T> array(const Read& read) {
    take<std::uint32_t>();
    std::vector<T> out(take<std::uint64_t>());
    for (T& value : out) value = read();
    return out;
  }
  void entry(VocabularyParts& parts) {
    const std::string key = text();
    const auto type = take<std::uint32_t>();
    const auto is = [&](const char* name) { return key == std::string("tokenizer.ggml.") + name; };
    const auto id = [&] { return static_cast<std::int32_t>(take<std::uint32_t>()); };
    const auto string = [&] { return text(); };
    if (is("model")) return void(parts.model = text());
    if (is("pre")) return void(parts.pre = text());
    if (is("tokens")) return void(parts.tokens = array<std::string>(string));
    if (is("merges")) return void(parts.merges = array<std::string>(string));
    if (is("scores")) return void(parts.scores = array<float>([&] { return take<float>(); }));
    if (is("token_type")) return void(parts.token_type = array<std::int32_t>(id));
    if (is("bos_token_id")) return void(parts.bos = id());
    if (is("eos_token_id")) return void(parts.eos = id());
    if (is("unknown_token_id")) return void(parts.unknown = id());
    if (is("seperator_token_id")) return void(parts.separator = id());
    if (is("cls_token_id")) return void(parts.cls = id());
    if (is("add_bos_token")) return void(parts.add_bos_token = take<std::uint8_t>() != 0);
    if (is("add_eos_token")) return void(parts.add_eos_token = take<std::uint8_t>() != 0);
    if (is("add_space_prefix")) return void(parts.add_space_prefix = take<std::uint8_t>() != 0);
    skip(type);
  }

  std::string_view in_;
};

}  // namespace lathe::tokenize
