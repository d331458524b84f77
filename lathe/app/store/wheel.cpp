#include "lathe/app/store/wheel.h"

#include <minizip/unzip.h>

#include <array>
#include <charconv>

#include "lathe/app/store/model_name.h"
#include "lathe/base/error.h"
#include "lathe/base/hash.h"

namespace lathe::store {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::uint64_t kMostEntries = 1'000'000;

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

/// "" where it is not base64url without padding.
std::string hex_of_base64(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return "";
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += fmt::format("{:02x}", (bits >> count) & 0xff);
  }
  return out;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The value of "Key: value", or nothing.
std::string_view value_of(std::string_view line, std::string_view key) {
  if (line.size() <= key.size() + 1 || !line.starts_with(key) || line[key.size()] != ':') return {};
  line.remove_prefix(key.size() + 1);
  while (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

}  // namespace

struct Wheel::Archive {
  unzFile file;
  ~Archive() { ::unzClose(file); }
};

Wheel::Wheel(const std::string& path) : path_(path) {
  const unzFile file = ::unzOpen64(path.c_str());
  if (file == nullptr) fail(ErrorCode::kCorrupt, "'{}': expected a wheel (a zip archive)", path);
  archive_.reset(new Archive{file});
  int status = ::unzGoToFirstFile(file);
  for (; status == UNZ_OK; status = ::unzGoToNextFile(file)) {
    unz_file_info64 info{};
    std::array<char, 1024> name{};
    if (::unzGetCurrentFileInfo64(file, &info, name.data(), name.size() - 1, nullptr, 0, nullptr,
                                  0) != UNZ_OK)
      fail(ErrorCode::kCorrupt, "'{}': its directory is damaged", path);
    if (files_.size() == kMostEntries || info.uncompressed_size > INT64_MAX)
      fail(ErrorCode::kCorrupt, "'{}': its directory does not end", path);
    files_.push_back({name.data(), static_cast<std::int64_t>(info.uncompressed_size)});
  }
  if (status != UNZ_END_OF_LIST_OF_FILE)
    fail(ErrorCode::kCorrupt, "'{}': its directory is damaged", path);
}

Wheel::~Wheel() = default;

template <typename Take>
void Wheel::stream(const std::string& path, Take&& take) {
  const unzFile file = archive_->file;
  if (::unzLocateFile(file, path.c_str(), 1) != UNZ_OK)
    fail(ErrorCode::kNotFound, "'{}': no file '{}' in it", path_, printable(path));
  if (::unzOpenCurrentFile(file) != UNZ_OK)
    fail(ErrorCode::kCorrupt, "'{}': '{}' cannot be unpacked", path_, printable(path));
  std::string piece(kPiece, '\0');
  int n = 0;
  while ((n = ::unzReadCurrentFile(file, piece.data(), static_cast<unsigned>(piece.size()))) > 0)
    take(std::string_view(piece.data(), static_cast<std::size_t>(n)));
  const int closed = ::unzCloseCurrentFile(file);  // compares the checksum
  if (n < 0 || closed != UNZ_OK)
    fail(ErrorCode::kCorrupt, "'{}': '{}' is damaged", path_, printable(path));
}

std::string Wheel::read(const std::string& path, std::int64_t most) {
  std::string text;
  stream(path, [&](std::string_view bytes) {
    if (text.size() + bytes.size() > static_cast<std::size_t>(most))
      fail(ErrorCode::kCorrupt, "'{}': '{}': expected at most {} bytes", path_, printable(path),
           most);
    text += bytes;
  });
  return text;
}

std::string Wheel::info_file(std::string_view name) const {
  const std::string ending = ".dist-info/" + std::string(name);
  for (const WheelFile& file : files_)
    if (file.path.ends_with(ending) && file.path.find('/') == file.path.rfind('/'))
      return file.path;
  fail(ErrorCode::kCorrupt, "'{}': expected a file *{} in it; is it a wheel?", path_, ending);
}

void Wheel::unpack(const RecordedFile& file, FileSystem& to, const std::string& path) {
  const auto writer = to.open_for_write(path);
  Sha256 hash;
  std::int64_t size = 0;
  stream(file.path, [&](std::string_view bytes) {
    size += static_cast<std::int64_t>(bytes.size());
    if (file.size >= 0 && size > file.size) return;  // told below
    writer->write(bytes);
    hash.update(bytes);
  });
  writer->sync();
  writer->close();
  if (file.size >= 0 && size != file.size)
    fail(ErrorCode::kCorrupt, "'{}': {}: expected {} bytes, as its RECORD says, got {}", path_,
         printable(file.path), file.size, size);
  if (const std::string got = hash.finish(); got != file.sha256)
    fail(ErrorCode::kCorrupt, "'{}': {}: expected SHA-256 {}, as its RECORD says, got {}", path_,
         printable(file.path), file.sha256, got);
}

std::vector<RecordedFile> parse_record(std::string_view text) {
  constexpr std::string_view kHash = "sha256=";
  std::vector<RecordedFile> files;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const std::size_t last = line.rfind(',');
    const std::size_t middle =
        last == line.npos || last == 0 ? line.npos : line.rfind(',', last - 1);
    if (middle == line.npos) continue;
    std::string_view path = line.substr(0, middle);
    if (path.size() >= 2 && path.front() == '"' && path.back() == '"')
      path = path.substr(1, path.size() - 2);
    const std::string_view hash = line.substr(middle + 1, last - middle - 1);
    RecordedFile file{.path = std::string(path)};
    if (hash.starts_with(kHash)) file.sha256 = hex_of_base64(hash.substr(kHash.size()));
    std::from_chars(line.data() + last + 1, line.data() + line.size(), file.size);
    if (file.sha256.size() == 64) files.push_back(std::move(file));
  }
  return files;
}

WheelMetadata parse_metadata(std::string_view text) {
  WheelMetadata metadata;
  std::string licence;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.empty()) break;  // the description follows
    if (const auto value = value_of(line, "Name"); !value.empty()) metadata.name = printable(value);
    if (const auto value = value_of(line, "Version"); !value.empty())
      metadata.version = printable(value);
    if (const auto value = value_of(line, "License-Expression"); !value.empty())
      metadata.licence = printable(value);
    if (const auto value = value_of(line, "License"); !value.empty()) licence = printable(value);
  }
  if (metadata.licence.empty()) metadata.licence = licence;
  return metadata;
}

}  // namespace lathe::store
