// A JSON document as a tree that keeps the order of keys, with errors that name the key.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lathe::tokenize {

/// One value. Reading a value as what it is not throws kCorrupt with its path ("model.vocab").
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;
  template <typename T>
  explicit Json(T value) : value_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  bool as_bool(std::string_view path) const;
  std::int64_t as_integer(std::string_view path) const;
  double as_number(std::string_view path) const;
  const std::string& as_string(std::string_view path) const;
  const Array& as_array(std::string_view path) const;
  const Object& as_object(std::string_view path) const;

  /// The member, or null where the object has none.
  const Json& get(std::string_view key, std::string_view path) const;

  /// Appends the text as serde_json writes it: two spaces a level from `indent` levels on.
  void write(std::string& out, int indent) const;

 private:
  friend class JsonBuilder;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

/// Throws kCorrupt with the byte for what is not JSON in UTF-8, for a key that an object has twice
/// and for more than 64 levels.
Json parse_json(std::string_view text);

/// Throws kUnsupported for the first member of `object` that is not among `keys`.
void only_keys(const Json& object, std::string_view path,
               std::initializer_list<std::string_view> keys);

/// Appends the string in quotation marks, escaped as serde_json does.
void write_json_string(std::string_view text, std::string& out);

}  // namespace lathe::tokenize
