// A Python wheel as an archive: what it holds, and files taken out of it.
// Source: the binary distribution format of the Python packaging guide (PEP 427): a zip archive
// with <name>-<version>.dist-info/RECORD, one line "path,sha256=<base64url>,size" a file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/files.h"

namespace lathe::store {

struct WheelFile {
  std::string path;
  std::int64_t size = 0;  // unpacked, as the archive's directory tells
};

/// A line of RECORD.
struct RecordedFile {
  std::string path;
  std::string sha256;  // hexadecimal
  std::int64_t size = -1;
};

struct WheelMetadata {
  std::string name, version, licence;
};

class Wheel {
 public:
  /// Throws kCorrupt where this is no zip archive.
  explicit Wheel(const std::string& path);
  ~Wheel();

  const std::vector<WheelFile>& files() const { return files_; }

  /// A small text of the archive. Throws kNotFound, kCorrupt; kCorrupt where over `most` bytes.
  std::string read(const std::string& path, std::int64_t most = 16 << 20);

  /// The path of <...>.dist-info/<name>. Throws kCorrupt where there is none.
  std::string info_file(std::string_view name) const;

  /// Unpacks a file and checks size and SHA-256 against its line of RECORD. Throws kCorrupt.
  void unpack(const RecordedFile& file, FileSystem& to, const std::string& path);

 private:
  struct Archive;
  /// Hands the bytes on in pieces; checks the archive's own checksum.
  template <typename Take>
  void stream(const std::string& path, Take&& take);

  std::string path_;
  std::unique_ptr<Archive> archive_;
  std::vector<WheelFile> files_;
};

/// Lines that are malformed are left out: what they name is then not in RECORD.
std::vector<RecordedFile> parse_record(std::string_view text);

/// Name, Version and License-Expression (or License) of METADATA.
WheelMetadata parse_metadata(std::string_view text);

}  // namespace lathe::store
