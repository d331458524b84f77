// Fields of the parts of a tokenizer.json: with defaults, and with their path in errors.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

[[noreturn]] inline void unsupported(std::string_view path, std::string_view got,
                                     std::string_view known) {
  fail(ErrorCode::kUnsupported, "{}: expected {}, got '{}'", path, known, got);
}

inline const std::string& type_of(const Json& part, const std::string& path) {
  return part.get("type", path).as_string(path + ".type");
}

inline bool flag(const Json& part, std::string_view key, const std::string& path, bool otherwise) {
  const Json& value = part.get(key, path);
  return value.is_null() ? otherwise : value.as_bool(path + "." + std::string(key));
}

inline std::int64_t integer(const Json& part, std::string_view key, const std::string& path,
                            std::int64_t otherwise) {
  const Json& value = part.get(key, path);
  return value.is_null() ? otherwise : value.as_integer(path + "." + std::string(key));
}

inline const std::string& text(const Json& part, std::string_view key, const std::string& path) {
  return part.get(key, path).as_string(path + "." + std::string(key));
}

inline std::string text_or(const Json& part, std::string_view key, const std::string& path,
                           std::string_view otherwise) {
  const Json& value = part.get(key, path);
  return value.is_null() ? std::string(otherwise) : value.as_string(path + "." + std::string(key));
}

/// A string that holds one character.
inline CodePoint character(const Json& part, std::string_view key, const std::string& path) {
  const std::string& value = text(part, key, path);
  if (value.empty() || decode_valid(value.data()).size != value.size())
    fail(ErrorCode::kCorrupt, "{}.{}: expected one character, got '{}'", path, key, value);
  return decode_valid(value.data()).code;
}

inline std::int32_t read_id(const Json& value, std::string_view path) {
  const std::int64_t id = value.as_integer(path);
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max())
    fail(ErrorCode::kCorrupt, "{}: expected a token id, got {}", path, id);
  return static_cast<std::int32_t>(id);
}

/// Calls use(part, path) for each member of the list of a Sequence.
template <typename Use>
void each_part(const Json& sequence, std::string_view key, const std::string& path,
               const Use& use) {
  const std::string at = path + "." + std::string(key);
  const Json::Array& parts = sequence.get(key, path).as_array(at);
  for (std::size_t i = 0; i < parts.size(); ++i) use(parts[i], at + "[" + std::to_string(i) + "]");
}

}  // namespace lathe::tokenize
