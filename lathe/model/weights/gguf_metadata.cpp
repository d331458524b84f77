#include "lathe/model/weights/gguf_metadata.h"

#include <bit>
#include <charconv>
#include <cstring>

#include "lathe/base/error.h"

namespace lathe::weights {
namespace {

static_assert(std::endian::native == std::endian::little);

template <typename T>
std::string bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

template <typename T>
GgufValue scalar(GgufType type, T value) {
  return GgufValue::packed(type, false, bytes_of(std::span<const T>(&value, 1)));
}

[[noreturn]] void wrong_type(std::string_view wanted, const GgufValue& value) {
  fail(ErrorCode::kInvalidArgument, "expected {}, got {}{}", wanted,
       value.is_array() ? "a list of " : "", name(value.type()));
}

double shortest(float value) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  double out = value;
  std::from_chars(text, end, out);
  return out;
}

}  // namespace

GgufValue::GgufValue(bool value) : GgufValue(scalar(GgufType::boolean, std::uint8_t{value})) {}
GgufValue::GgufValue(float value) : GgufValue(scalar(GgufType::f32, value)) {}
GgufValue::GgufValue(double value) : GgufValue(scalar(GgufType::f64, value)) {}
GgufValue::GgufValue(std::string_view value)
    : GgufValue(strings(false, std::string(value), {value.size()})) {}
GgufValue::GgufValue(std::uint16_t value) : GgufValue(scalar(GgufType::u16, value)) {}
GgufValue::GgufValue(std::uint32_t value) : GgufValue(scalar(GgufType::u32, value)) {}
GgufValue::GgufValue(std::int32_t value) : GgufValue(scalar(GgufType::i32, value)) {}
GgufValue::GgufValue(std::uint64_t value) : GgufValue(scalar(GgufType::u64, value)) {}
GgufValue::GgufValue(std::span<const float> values)
    : GgufValue(packed(GgufType::f32, true, bytes_of(values))) {}
GgufValue::GgufValue(std::span<const std::int32_t> values)
    : GgufValue(packed(GgufType::i32, true, bytes_of(values))) {}
GgufValue::GgufValue(std::span<const std::uint32_t> values)
    : GgufValue(packed(GgufType::u32, true, bytes_of(values))) {}

GgufValue::GgufValue(std::span<const std::string> values) {
  std::string characters;
  std::vector<std::uint64_t> ends;
  for (const std::string& value : values) {
    characters += value;
    ends.push_back(characters.size());
  }
  *this = strings(true, std::move(characters), std::move(ends));
}

GgufValue GgufValue::booleans(const std::vector<bool>& values) {
  std::string bytes;
  for (const bool value : values) bytes += static_cast<char>(value);
  return packed(GgufType::boolean, true, bytes);
}

GgufValue GgufValue::packed(GgufType type, bool is_array, std::string_view bytes) {
  LATHE_CHECK(size_of(type) > 0 && bytes.size() % size_of(type) == 0);
  GgufValue value;
  value.type_ = type;
  value.is_array_ = is_array;
  value.bytes_ = bytes;
  return value;
}

GgufValue GgufValue::strings(bool is_array, std::string characters,
                             std::vector<std::uint64_t> ends) {
  GgufValue value;
  value.type_ = GgufType::string;
  value.is_array_ = is_array;
  value.bytes_ = std::move(characters);
  value.ends_ = std::move(ends);
  return value;
}

std::size_t GgufValue::count() const {
  return type_ == GgufType::string ? ends_.size() : bytes_.size() / size_of(type_);
}

template <typename T>
T GgufValue::at(std::size_t i) const {
  LATHE_CHECK(sizeof(T) == size_of(type_) && i < count());
  T value;
  std::memcpy(&value, bytes_.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::int64_t GgufValue::integer(std::size_t i) const {
  switch (type_) {
    case GgufType::u8:
      return at<std::uint8_t>(i);
    case GgufType::i8:
      return at<std::int8_t>(i);
    case GgufType::u16:
      return at<std::uint16_t>(i);
    case GgufType::i16:
      return at<std::int16_t>(i);
    case GgufType::u32:
      return at<std::uint32_t>(i);
    case GgufType::i32:
      return at<std::int32_t>(i);
    case GgufType::i64:
      return at<std::int64_t>(i);
    case GgufType::u64: {
      const auto value = at<std::uint64_t>(i);
      if (value >> 63) fail(ErrorCode::kInvalidArgument, "{} is too large", value);
      return static_cast<std::int64_t>(value);
    }
    default:
      wrong_type("an integer", *this);
  }
}

double GgufValue::number(std::size_t i) const {
  if (type_ == GgufType::f32) return at<float>(i);
  if (type_ == GgufType::f64) return at<double>(i);
  if (type_ == GgufType::u64) return static_cast<double>(at<std::uint64_t>(i));
  if (!is_integer(type_)) wrong_type("a number", *this);
  return static_cast<double>(integer(i));
}

bool GgufValue::boolean(std::size_t i) const {
  if (type_ != GgufType::boolean) wrong_type("a bool", *this);
  return at<std::uint8_t>(i) != 0;
}

std::string_view GgufValue::text(std::size_t i) const {
  if (type_ != GgufType::string) wrong_type("a string", *this);
  LATHE_CHECK(i < ends_.size());
  const std::uint64_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &items_[found->second].second;
}

void GgufMetadata::set(const std::string& key, GgufValue value) {
  const auto [place, added] = index_.try_emplace(key, items_.size());
  if (added)
    items_.emplace_back(key, std::move(value));
  else
    items_[place->second].second = std::move(value);
}

void GgufMetadata::remove(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  const std::size_t at = found->second;
  index_.erase(found);
  items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(at));
  for (auto& [name, place] : index_)
    if (place > at) --place;
}

namespace {

/// The single value of a key, turned into what is wanted; errors name the key.
template <typename Get>
auto single(const GgufMetadata& metadata, std::string_view key, Get get)
    -> std::optional<decltype(get(GgufValue()))> {
  const GgufValue* value = metadata.find(key);
  if (value == nullptr) return {};
  if (value->is_array())
    fail(ErrorCode::kCorrupt, "metadata '{}': expected one value, got a list", key);
  try {
    return get(*value);
  } catch (const Error& error) {
    fail(ErrorCode::kCorrupt, "metadata '{}': {}", key, error.message());
  }
}

}  // namespace

std::optional<std::int64_t> GgufMetadata::integer(std::string_view key) const {
  return single(*this, key, [](const GgufValue& v) { return v.integer(); });
}
std::optional<double> GgufMetadata::number(std::string_view key) const {
  return single(*this, key, [](const GgufValue& v) {
    return v.type() == GgufType::f32 ? shortest(static_cast<float>(v.number())) : v.number();
  });
}
std::optional<bool> GgufMetadata::boolean(std::string_view key) const {
  return single(*this, key, [](const GgufValue& v) { return v.boolean(); });
}
std::optional<std::string> GgufMetadata::text(std::string_view key) const {
  return single(*this, key, [](const GgufValue& v) { return std::string(v.text()); });
}

const GgufValue* GgufMetadata::list(std::string_view key, GgufType type) const {
  const GgufValue* value = find(key);
  if (value != nullptr && (!value->is_array() || value->type() != type))
    fail(ErrorCode::kCorrupt, "metadata '{}': expected a list of {}, got {}{}", key, name(type),
         value->is_array() ? "a list of " : "", name(value->type()));
  return value;
}

}  // namespace lathe::weights
