#include "lathe/model/weights/gguf_write.h"

#include <set>

#include "lathe/base/error.h"

namespace lathe::weights {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kLongestTensorName = 63;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint64_t>(text.size()));
  out += text;
}

void put_value(std::string& out, const GgufValue& value) {
  if (value.is_array()) {
    put(out, GgufType::array);
    put(out, value.type());
    put(out, static_cast<std::uint64_t>(value.count()));
  } else {
    put(out, value.type());
  }
  out += value.bytes();
  if (value.type() == GgufType::string)
    for (std::size_t i = 0; i < value.count(); ++i) put_string(out, value.text(i));
}

std::size_t padding(std::size_t n, std::size_t alignment) {
  return (alignment - n % alignment) % alignment;
}

void check(const GgufTensorSource& t, const std::string& subject, std::set<std::string>& seen) {
  if (!seen.insert(t.name).second)
    fail(ErrorCode::kInvalidArgument, "{}: tensor '{}' comes twice", subject, t.name);
  if (t.name.empty() || t.name.size() > kLongestTensorName)
    fail(ErrorCode::kInvalidArgument, "{}: tensor '{}': expected a name of 1 to {} bytes", subject,
         t.name, kLongestTensorName);
  if (t.shape.rank() < 1 || t.shape.rank() > 4 || t.shape.count() == 0 ||
      t.shape.at(-1) % t.type->block_elements != 0)
    fail(ErrorCode::kInvalidArgument, "{}: tensor '{}': {} cannot be stored as {}", subject, t.name,
         to_string(t.shape), t.type->name);
}

/// Leading dimensions of 1 are left out, as other writers do.
void put_dimensions(std::string& out, const Shape& shape) {
  int first = 0;
  while (first + 1 < shape.rank() && shape[first] == 1) ++first;
  put(out, static_cast<std::uint32_t>(shape.rank() - first));
  for (int axis = shape.rank() - 1; axis >= first; --axis) put(out, shape[axis]);
}

std::string head(const std::string& subject, const GgufMetadata& metadata,
                 const std::vector<GgufTensorSource>& tensors, std::size_t alignment) {
  std::string out = "GGUF";
  put(out, kVersion);
  put(out, static_cast<std::uint64_t>(tensors.size()));
  put(out, static_cast<std::uint64_t>(metadata.items().size()));
  for (const auto& [key, value] : metadata.items()) {
    put_string(out, key);
    put_value(out, value);
  }
  std::uint64_t offset = 0;
  std::set<std::string> seen;
  for (const GgufTensorSource& t : tensors) {
    check(t, subject, seen);
    put_string(out, t.name);
    put_dimensions(out, t.shape);
    put(out, t.type->id);
    put(out, offset);
    offset += t.bytes() + padding(t.bytes(), alignment);
  }
  out.append(padding(out.size(), alignment), '\0');
  return out;
}

}  // namespace

std::size_t GgufTensorSource::bytes() const {
  return static_cast<std::size_t>(shape.count() / type->block_elements * type->block_bytes);
}

void write_gguf(FileWriter& writer, const std::string& subject, const GgufMetadata& metadata,
                const std::vector<GgufTensorSource>& tensors) {
  const auto alignment =
      static_cast<std::size_t>(metadata.integer("general.alignment").value_or(32));
  writer.write(head(subject, metadata, tensors, alignment));
  for (const GgufTensorSource& t : tensors) {
    std::size_t written = 0;
    t.produce([&](std::string_view bytes) {
      written += bytes.size();
      writer.write(bytes);
    });
    if (written != t.bytes())
      fail(ErrorCode::kInvalidArgument, "{}: tensor '{}': expected {} bytes, got {}", subject,
           t.name, t.bytes(), written);
    if (const std::size_t rest = padding(written, alignment); rest > 0)
      writer.write(std::string(rest, '\0'));
  }
}

}  // namespace lathe::weights
