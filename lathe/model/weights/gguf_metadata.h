// The metadata of a GGUF file: keys in their order, each with a value of a stated type. Whatever is
// not understood is kept as it is.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lathe/model/weights/gguf_types.h"

namespace lathe::weights {

/// One value, or a list of values of one type (never lists in lists: readers refuse them). Numbers
/// are kept as they stand in files, so that reading and writing change nothing.
class GgufValue {
 public:
  GgufValue() = default;
  explicit GgufValue(bool value);
  explicit GgufValue(float value);
  explicit GgufValue(double value);
  explicit GgufValue(std::string_view value);
  explicit GgufValue(const char* value) : GgufValue(std::string_view(value)) {}
  explicit GgufValue(std::uint16_t value);
  explicit GgufValue(std::uint32_t value);
  explicit GgufValue(std::int32_t value);
  explicit GgufValue(std::uint64_t value);
  explicit GgufValue(std::span<const float> values);
  explicit GgufValue(std::span<const std::int32_t> values);
  explicit GgufValue(std::span<const std::uint32_t> values);
  explicit GgufValue(std::span<const std::string> values);
  static GgufValue booleans(const std::vector<bool>& values);

  /// From a file: numbers packed little-endian; `type` is that of the elements.
  static GgufValue packed(GgufType type, bool is_array, std::string_view bytes);
  /// From a file: the characters of all strings, and where each ends.
  static GgufValue strings(bool is_array, std::string characters, std::vector<std::uint64_t> ends);

  GgufType type() const { return type_; }  // of the elements where is_array()
  bool is_array() const { return is_array_; }
  std::size_t count() const;  // 1 unless is_array()

  /// Element i. Throws InvalidArgument where the type is another one: nothing is reinterpreted.
  std::int64_t integer(std::size_t i = 0) const;  // of any integer type; u64 below 2^63
  double number(std::size_t i = 0) const;         // of any number type
  bool boolean(std::size_t i = 0) const;
  std::string_view text(std::size_t i = 0) const;

  /// The numbers as they stand in files; empty for strings.
  std::string_view bytes() const {
    return type_ == GgufType::string ? std::string_view() : std::string_view(bytes_);
  }

  friend bool operator==(const GgufValue&, const GgufValue&) = default;

 private:
  template <typename T>
  T at(std::size_t i) const;

  GgufType type_ = GgufType::u8;
  bool is_array_ = false;
  std::string bytes_;                // numbers packed, or characters
  std::vector<std::uint64_t> ends_;  // of strings in bytes_
};

class GgufMetadata {
 public:
  using Item = std::pair<std::string, GgufValue>;

  const std::vector<Item>& items() const { return items_; }
  const GgufValue* find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  /// Replaces in place, or appends.
  void set(const std::string& key, GgufValue value);
  template <typename T>
    requires(!std::same_as<std::remove_cvref_t<T>, GgufValue>)
  void set(const std::string& key, const T& value) {
    set(key, GgufValue(value));
  }
  void remove(std::string_view key);

  /// The value, absent where the key is. Throw Corrupt naming the key where the type is another one
  /// (an integer counts as a number). An f32 comes as the shortest decimal that it stands for:
  /// 1e-5, not 9.99999975e-6.
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  /// A list of this type of elements, or null. Throws Corrupt.
  const GgufValue* list(std::string_view key, GgufType type) const;

  friend bool operator==(const GgufMetadata& a, const GgufMetadata& b) {
    return a.items_ == b.items_;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::vector<Item> items_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
};

}  // namespace lathe::weights
