#include "lathe/model/weights/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "lathe/base/error.h"

namespace lathe::weights {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeader = std::size_t{100} << 20;  // the reference implementation's limit
constexpr std::size_t kMaxTensors = 200000;  // of a file; the largest models have 100000

struct TypeName {
  const char* name;
  std::size_t size;
  std::optional<DType> dtype;
};
constexpr TypeName kTypes[] = {
    {"F32", 4, DType::f32}, {"BF16", 2, DType::bf16},
    {"F64", 8, DType::f64}, {"F16", 2, DType::f16},
    {"I32", 4, DType::i32}, {"I8", 1, DType::i8},
    {"U8", 1, DType::u8},   {"BOOL", 1, DType::boolean},
    {"I64", 8, {}},         {"U64", 8, {}},
    {"U32", 4, {}},         {"I16", 2, {}},
    {"U16", 2, {}},         {"F8_E4M3", 1, {}},
    {"F8_E5M2", 1, {}},
};

const TypeName* find_type(const std::string& name) {
  for (const TypeName& type : kTypes)
    if (name == type.name) return &type;
  return nullptr;
}

const char* name_of(DType dtype) {
  for (const TypeName& type : kTypes)
    if (type.dtype == dtype) return type.name;
  return "";
}

std::uint64_t read_length(const std::uint8_t* p) {
  std::uint64_t n = 0;
  for (int i = 7; i >= 0; --i) n = n << 8 | p[i];
  return n;
}

/// A JSON number that is a whole, non-negative size.
std::size_t size_value(const Json& value, const std::string& subject, const char* what) {
  if (!value.is_number_unsigned())
    fail(ErrorCode::kCorrupt, "{}: {}: expected a whole number of 0 or more, got {}", subject, what,
         value.dump(-1, ' ', false, Json::error_handler_t::replace));
  return value.get<std::size_t>();
}

Shape shape_value(const Json& value, const std::string& subject) {
  if (!value.is_array()) fail(ErrorCode::kCorrupt, "{}: shape: expected a list", subject);
  if (value.size() > kMaxRank)
    fail(ErrorCode::kUnsupported, "{}: shape: expected at most {} dimensions, got {}", subject,
         kMaxRank, value.size());
  Shape shape;
  for (const Json& dim : value) {
    const std::size_t n = size_value(dim, subject, "shape");
    if (n > std::size_t{1} << 48)
      fail(ErrorCode::kCorrupt, "{}: shape: dimension {} is absurd", subject, n);
    shape.push_back(static_cast<std::int64_t>(n));
  }
  return shape;
}

/// Elements times size, or nothing when it does not fit 64 bits.
std::optional<std::size_t> bytes_of(const Shape& shape, std::size_t size) {
  std::size_t n = size;
  for (const std::int64_t dim : shape)
    if (__builtin_mul_overflow(n, static_cast<std::size_t>(dim), &n)) return {};
  return n;
}

/// Throws where the header is no JSON object or names a tensor twice.
Json parse_header(std::string_view text, const std::string& subject) {
  // Depth is bounded by the callback: a header has three levels.
  bool deep = false;
  std::set<std::string> seen;
  std::string twice;
  const auto limit = [&](int depth, Json::parse_event_t event, Json& parsed) {
    deep = deep || depth > 8;
    if (event == Json::parse_event_t::key && depth == 1 &&
        !seen.insert(parsed.get_ref<const std::string&>()).second)
      twice = parsed.get<std::string>();
    return !deep && seen.size() <= kMaxTensors;
  };
  Json header = text.starts_with('{') ? Json::parse(text, limit, false) : Json();
  if (seen.size() > kMaxTensors)
    fail(ErrorCode::kUnsupported, "{}: expected at most {} tensors, got more", subject,
         kMaxTensors);
  if (deep || !header.is_object())
    fail(ErrorCode::kCorrupt, "{}: the header is not a JSON object; is this a safetensors file?",
         subject);
  if (!twice.empty())
    fail(ErrorCode::kCorrupt, "{}: the header has the tensor '{}' twice", subject, twice);
  return header;
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path, const FileSystem& files) {
  return parse(files.map(path), path);
}

SafetensorsFile SafetensorsFile::parse(const MappedFile& file, const std::string& subject) {
  SafetensorsFile out;
  out.subject_ = subject;
  if (file.size() < kLengthBytes)
    fail(ErrorCode::kCorrupt, "{}: expected at least 8 bytes, got {}; the file is cut off", subject,
         file.size());
  const std::uint64_t length = read_length(file.data());
  if (length > kMaxHeader || length > file.size() - kLengthBytes)
    fail(ErrorCode::kCorrupt,
         "{}: a header of {} bytes does not fit a file of {}; cut off, or not safetensors", subject,
         length, file.size());
  const Json header = parse_header(file.bytes().substr(kLengthBytes, length), subject);
  const std::size_t data_begin = kLengthBytes + length, data_size = file.size() - data_begin;

  std::vector<std::pair<std::size_t, std::string>> order;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object())
        fail(ErrorCode::kCorrupt, "{}: __metadata__: expected an object of strings", subject);
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string())
          fail(ErrorCode::kCorrupt, "{}: __metadata__: '{}': expected a string", subject, key);
        out.metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    const std::string where = subject + ": tensor '" + name + "'";
    if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string() ||
        !value.contains("shape") || !value.contains("data_offsets") ||
        !value["data_offsets"].is_array() || value["data_offsets"].size() != 2)
      fail(ErrorCode::kCorrupt, "{}: expected dtype, shape and two data_offsets", where);
    Entry entry;
    entry.dtype = value["dtype"].get<std::string>();
    const TypeName* type = find_type(entry.dtype);
    if (type == nullptr) fail(ErrorCode::kUnsupported, "{}: unknown type '{}'", where, entry.dtype);
    entry.shape = shape_value(value["shape"], where);
    const std::size_t begin = size_value(value["data_offsets"][0], where, "data_offsets");
    const std::size_t end = size_value(value["data_offsets"][1], where, "data_offsets");
    const auto wanted = bytes_of(entry.shape, type->size);
    if (begin > end || end > data_size)
      fail(ErrorCode::kCorrupt, "{}: bytes {} to {} lie outside the {} bytes of data; cut off?",
           where, begin, end, data_size);
    if (!wanted || *wanted != end - begin)
      fail(ErrorCode::kCorrupt, "{}: {} of shape {} does not fill {} bytes", where, entry.dtype,
           to_string(entry.shape), end - begin);
    entry.begin = data_begin + begin;
    entry.end = data_begin + end;
    order.emplace_back(begin, name);
    out.tensors_.emplace(name, std::move(entry));
  }
  out.take_order(order, data_begin, data_size);
  // The mapping is read-only; nothing may write into these tensors.
  auto* data = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(file.data()));
  out.storage_ = Storage::borrow({data, file.size()}, std::make_shared<MappedFile>(file),
                                 file.mapped() ? Storage::Pages::of_file : Storage::Pages::own);
  return out;
}

/// Tensors lie end to end and fill the file: else bytes would be shared, or carry what nobody
/// reads.
void SafetensorsFile::take_order(std::vector<std::pair<std::size_t, std::string>>& order,
                                 std::size_t data_begin, std::size_t data_size) {
  // Of tensors that begin at the same byte those without elements come first.
  std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
    const auto end = [this](const auto& x) { return tensors_.at(x.second).end; };
    return std::tuple(a.first, end(a), a.second) < std::tuple(b.first, end(b), b.second);
  });
  std::size_t last = data_begin;
  for (const auto& [begin, name] : order) {
    const Entry& entry = tensors_.at(name);
    if (entry.begin != last)
      fail(ErrorCode::kCorrupt, "{}: tensor '{}' {} the one before it; expected it at byte {}",
           subject_, name, entry.begin < last ? "overlaps" : "leaves a gap behind",
           last - data_begin);
    last = entry.end;
    names_.push_back(name);
  }
  if (last != data_begin + data_size)
    fail(ErrorCode::kCorrupt, "{}: {} bytes behind the last tensor belong to none", subject_,
         data_begin + data_size - last);
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(ErrorCode::kNotFound, "{}: has no tensor '{}'", subject_, name);
  return found->second;
}

StoredFacts SafetensorsFile::facts(const std::string& name) const {
  const Entry& e = entry(name);
  return {.shape = e.shape,
          .dtype = find_type(e.dtype)->dtype,
          .type = e.dtype,
          .bytes = e.end - e.begin};
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const Entry& entry = this->entry(name);
  const TypeName* type = find_type(entry.dtype);
  if (!type->dtype)
    fail(ErrorCode::kUnsupported, "{}: tensor '{}' has type {}, which is not computed with",
         subject_, name, entry.dtype);
  if (entry.begin % type->size != 0) {  // legal but unaligned: a copy
    Tensor copy = Tensor::empty(entry.shape, *type->dtype);
    std::memcpy(copy.bytes_begin(), storage_->data() + entry.begin, copy.bytes());
    return copy;
  }
  return Tensor::over(storage_, entry.begin, entry.shape, *type->dtype);
}

void write_safetensors(FileWriter& writer, const std::string& path,
                       const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const TensorSource& t : tensors) {
    if (header.contains(t.name))
      fail(ErrorCode::kInvalidArgument, "{}: tensor '{}' comes twice", path, t.name);
    const std::vector<std::int64_t> dims(t.shape.begin(), t.shape.end());
    const std::size_t end = offset + static_cast<std::size_t>(t.shape.count()) * size_of(t.dtype);
    header[t.name] = {
        {"dtype", name_of(t.dtype)}, {"shape", dims}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  while ((text.size() + kLengthBytes) % 64 != 0) text += ' ';  // tensors start aligned
  std::string length(kLengthBytes, '\0');
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    length[i] = static_cast<char>(text.size() >> 8 * i);

  writer.write(length + text);
  for (const TensorSource& source : tensors) {
    const Tensor tensor = source.read();
    if (!tensor.contiguous() || !tensor.has_data() || tensor.shape() != source.shape ||
        tensor.dtype() != source.dtype)
      fail(ErrorCode::kInvalidArgument, "{}: tensor '{}': expected contiguous {} {}, got {}", path,
           source.name, name(source.dtype), to_string(source.shape), describe(tensor));
    if (tensor.bytes() > 0)
      writer.write({reinterpret_cast<const char*>(tensor.bytes_begin()), tensor.bytes()});
  }
}

void write_safetensors(FileWriter& writer, const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : tensors)
    sources.push_back({name, tensor.dtype(), tensor.shape(), [&tensor] { return tensor; }});
  write_safetensors(writer, path, sources, metadata);
}

void write_safetensors(FileSystem& files, const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto writer = files.open_for_write(path);
  write_safetensors(*writer, path, tensors, metadata);
  writer->sync();
  writer->close();
}

}  // namespace lathe::weights
