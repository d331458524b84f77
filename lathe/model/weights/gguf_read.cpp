// Every length in a file is compared with what is left of the file before anything is done with it.
#include <algorithm>
#include <cstring>

#include "lathe/base/error.h"
#include "lathe/model/weights/gguf.h"

namespace lathe::weights {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::size_t kLongestKey = 65535;
constexpr std::size_t kLongestTensorName = 63;  // other readers keep names in 64 bytes
constexpr std::uint32_t kMostDimensions = 4;
constexpr std::size_t kSmallestItem = 14;    // key of one byte, type, value of one byte
constexpr std::size_t kSmallestTensor = 33;  // name of one byte, one dimension, type, offset
constexpr std::size_t kMostAlignment = 65536;

/// The bytes of a file from front to back.
class Cursor {
 public:
  Cursor(std::string_view bytes, const std::string& subject) : bytes_(bytes), subject_(subject) {}

  std::size_t position() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  std::string_view take(std::uint64_t n, std::string_view what) {
    if (n > left())
      fail(ErrorCode::kCorrupt, "{}: {}: {} bytes are wanted where {} are left; cut off?", subject_,
           what, n, left());
    const std::string_view out = bytes_.substr(at_, n);
    at_ += n;
    return out;
  }

  template <typename T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view string(std::string_view what) { return take(number<std::uint64_t>(what), what); }

 private:
  std::string_view bytes_;
  const std::string& subject_;
  std::size_t at_ = 0;
};

/// Printable, so that a message cannot carry control characters of a hostile file.
std::string shown(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 80)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

bool is_plain_text(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

GgufType read_type(Cursor& in, const std::string& where) {
  const auto id = in.number<std::uint32_t>(where);
  if (id >= kGgufTypes) fail(ErrorCode::kCorrupt, "{}: there is no value type {}", where, id);
  return static_cast<GgufType>(id);
}

GgufValue read_strings(Cursor& in, bool is_array, std::uint64_t count, const std::string& where) {
  if (count > in.left() / sizeof(std::uint64_t))
    fail(ErrorCode::kCorrupt, "{}: {} strings do not fit the {} bytes that are left", where, count,
         in.left());
  std::string characters;
  std::vector<std::uint64_t> ends;
  ends.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    characters += in.string(where);
    ends.push_back(characters.size());
  }
  return GgufValue::strings(is_array, std::move(characters), std::move(ends));
}

GgufValue read_value(Cursor& in, const std::string& where) {
  GgufType type = read_type(in, where);
  const bool is_array = type == GgufType::array;
  std::uint64_t count = 1;
  if (is_array) {
    type = read_type(in, where);
    count = in.number<std::uint64_t>(where);
    if (type == GgufType::array)
      fail(ErrorCode::kUnsupported, "{}: lists in lists are not supported", where);
  }
  if (type == GgufType::string) return read_strings(in, is_array, count, where);
  if (count > in.left() / size_of(type))
    fail(ErrorCode::kCorrupt, "{}: {} values of {} do not fit the {} bytes that are left", where,
         count, name(type), in.left());
  const std::string_view bytes = in.take(count * size_of(type), where);
  if (type == GgufType::boolean &&
      std::any_of(bytes.begin(), bytes.end(), [](char c) { return c != 0 && c != 1; }))
    fail(ErrorCode::kCorrupt, "{}: expected 0 or 1 for a bool", where);
  return GgufValue::packed(type, is_array, bytes);
}

GgufMetadata read_metadata(Cursor& in, std::uint64_t count, const std::string& subject) {
  GgufMetadata metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view key = in.string(fmt::format("{}: metadata key {}", subject, i));
    const std::string where = fmt::format("{}: metadata '{}'", subject, shown(key));
    if (key.empty() || key.size() > kLongestKey || !is_plain_text(key))
      fail(ErrorCode::kCorrupt, "{}: expected a key of 1 to {} printable characters, got {} bytes",
           where, kLongestKey, key.size());
    if (metadata.contains(key)) fail(ErrorCode::kCorrupt, "{}: the key comes twice", where);
    metadata.set(std::string(key), read_value(in, where));
  }
  return metadata;
}

std::size_t alignment_of(const GgufMetadata& metadata, const std::string& subject) {
  const GgufValue* value = metadata.find("general.alignment");
  if (value == nullptr) return 32;
  if (value->is_array() || value->type() != GgufType::u32)
    fail(ErrorCode::kCorrupt, "{}: metadata 'general.alignment': expected a u32", subject);
  const auto alignment = static_cast<std::size_t>(value->integer());
  if (alignment < 8 || alignment > kMostAlignment || (alignment & (alignment - 1)) != 0)
    fail(ErrorCode::kCorrupt,
         "{}: metadata 'general.alignment': expected a power of two from 8 to {}, got {}", subject,
         kMostAlignment, alignment);
  return alignment;
}

/// Row-major dimensions; their product fits 63 bits.
Shape read_shape(Cursor& in, const std::string& where) {
  const auto rank = in.number<std::uint32_t>(where);
  if (rank < 1 || rank > kMostDimensions)
    fail(ErrorCode::kCorrupt, "{}: expected 1 to {} dimensions, got {}", where, kMostDimensions,
         rank);
  std::int64_t dims[kMostDimensions], product = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    dims[i] = in.number<std::int64_t>(where);
    if (dims[i] <= 0 || __builtin_mul_overflow(product, dims[i], &product))
      fail(ErrorCode::kCorrupt, "{}: dimension {} of {} is absurd", where, i, dims[i]);
  }
  std::reverse(dims, dims + rank);
  return Shape(std::span<const std::int64_t>(dims, rank));
}

const GgufTensorType& read_tensor_type(Cursor& in, const std::string& where) {
  const auto id = in.number<std::uint32_t>(where);
  const GgufTensorType* type = find_tensor_type(id);
  if (type == nullptr)
    fail(ErrorCode::kUnsupported, "{}: there is no tensor type {}{}", where, id,
         id >= 97 ? "; types of forks of llama.cpp are not supported" : "");
  return *type;
}

std::size_t size_of_tensor(const GgufTensor& tensor, const std::string& where) {
  if (tensor.row_length() % tensor.type->block_elements != 0)
    fail(ErrorCode::kCorrupt, "{}: rows of {} elements are not whole blocks of {} ({})", where,
         tensor.row_length(), tensor.type->block_elements, tensor.type->name);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(
          static_cast<std::size_t>(tensor.shape.count() / tensor.type->block_elements),
          static_cast<std::size_t>(tensor.type->block_bytes), &bytes) ||
      bytes > std::size_t{1} << 62)
    fail(ErrorCode::kCorrupt, "{}: its size does not fit 64 bits", where);
  return bytes;
}

/// A tensor of the list; begin is still counted from the start of the data.
GgufTensor read_tensor(Cursor& in, const std::string& subject, std::uint64_t number) {
  GgufTensor tensor;
  tensor.name = in.string(fmt::format("{}: name of tensor {}", subject, number));
  const std::string where = fmt::format("{}: tensor '{}'", subject, shown(tensor.name));
  if (tensor.name.empty() || tensor.name.size() > kLongestTensorName || !is_plain_text(tensor.name))
    fail(ErrorCode::kCorrupt, "{}: expected a name of 1 to {} printable characters, got {} bytes",
         where, kLongestTensorName, tensor.name.size());
  tensor.shape = read_shape(in, where);
  tensor.type = &read_tensor_type(in, where);
  tensor.begin = in.number<std::uint64_t>(where);
  tensor.bytes = size_of_tensor(tensor, where);
  return tensor;
}

struct Counts {
  int version;
  std::uint64_t tensors, items;
};

/// A count that cannot be right is refused before anything is read by it.
std::uint64_t read_count(Cursor& in, std::size_t smallest, const std::string& where) {
  const auto count = in.number<std::uint64_t>(where);
  if (count > in.left() / smallest)
    fail(ErrorCode::kCorrupt, "{}: {} do not fit the {} bytes that are left", where, count,
         in.left());
  return count;
}

Counts read_header(Cursor& in, const std::string& subject) {
  if (in.left() < kMagic.size() || in.take(kMagic.size(), subject) != kMagic)
    fail(ErrorCode::kCorrupt, "{}: this is not a GGUF file (it does not begin with \"GGUF\")",
         subject);
  const auto version = in.number<std::uint32_t>(subject + ": version");
  if (version != 0 && (version & 0xFFFF) == 0)
    fail(ErrorCode::kUnsupported, "{}: big-endian GGUF files are not supported", subject);
  if (version == 1)
    fail(ErrorCode::kUnsupported, "{}: GGUF version 1 is not supported; convert the model again",
         subject);
  if (version != 2 && version != 3)
    fail(ErrorCode::kUnsupported, "{}: expected GGUF version 2 or 3, got {}", subject, version);
  Counts counts{};
  counts.version = static_cast<int>(version);
  counts.tensors = read_count(in, kSmallestTensor, subject + ": number of tensors");
  counts.items = read_count(in, kSmallestItem, subject + ": number of metadata keys");
  return counts;
}

std::size_t padded(std::size_t n, std::size_t alignment) {
  return (n + alignment - 1) & ~(alignment - 1);
}

/// Turns offsets into places in the file: one tensor after the other, no gaps, nothing outside.
void place(std::vector<GgufTensor>& tensors, std::size_t head, std::size_t size,
           const GgufFile& file) {
  const std::size_t data = padded(head, file.alignment());
  std::size_t next = 0;  // where the next tensor begins in the data
  for (GgufTensor& tensor : tensors) {
    if (tensor.begin != next)
      fail(ErrorCode::kCorrupt, "{}: tensor '{}': expected offset {}, got {}", file.subject(),
           tensor.name, next, tensor.begin);
    if (data > size || tensor.bytes > size - data || tensor.begin > size - data - tensor.bytes)
      fail(ErrorCode::kCorrupt,
           "{}: tensor '{}': {} bytes at {} lie outside the file of {} bytes; cut off?",
           file.subject(), tensor.name, tensor.bytes, data + tensor.begin, size);
    next = padded(next + tensor.bytes, file.alignment());
    tensor.begin += data;
  }
  if (size > data + next)
    fail(ErrorCode::kCorrupt, "{}: {} bytes follow the last tensor", file.subject(),
         size - data - next);
}

}  // namespace

GgufFile GgufFile::parse(const MappedFile& file, const std::string& subject) {
  GgufFile out;
  out.parts_ = {subject};
  Cursor in(file.bytes(), subject);
  const Counts counts = read_header(in, subject);
  out.version_ = counts.version;
  out.metadata_ = read_metadata(in, counts.items, subject);
  out.alignment_ = alignment_of(out.metadata_, subject);
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    out.tensors_.push_back(read_tensor(in, subject, i));
    if (!out.index_.try_emplace(out.tensors_.back().name, i).second)
      fail(ErrorCode::kCorrupt, "{}: tensor '{}' comes twice", subject, out.tensors_.back().name);
  }
  place(out.tensors_, in.position(), file.size(), out);
  // The mapping is read-only; nothing may write into these tensors.
  auto* data = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(file.data()));
  out.storages_ = {Storage::borrow({data, file.size()}, std::make_shared<MappedFile>(file),
                                   file.mapped() ? Storage::Pages::of_file : Storage::Pages::own)};
  return out;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

Tensor GgufFile::tensor(const GgufTensor& tensor) const {
  if (tensor.type->dtype)
    return Tensor::over(storages_[tensor.part], tensor.begin, tensor.shape, *tensor.type->dtype);
  if (!tensor.type->quant)
    fail(ErrorCode::kUnsupported, "{}: tensor '{}': type {} is not supported", parts_[tensor.part],
         tensor.name, tensor.type->name);
  const std::int64_t rows = tensor.rows();
  return Tensor::over(storages_[tensor.part], tensor.begin,
                      {rows, static_cast<std::int64_t>(tensor.bytes) / rows}, DType::u8);
}

}  // namespace lathe::weights
