// Bytes in order, from a file or out of a compressed one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lathe::data {

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Fills the front of `room` and returns how many bytes; 0 only at the end. `room` is not empty.
  /// Throws kIo, and kCorrupt for damaged or truncated compression.
  virtual std::size_t read(std::span<char> room) = 0;
};

enum class Compression { kNone, kGzip, kXz, kZstd };

/// By the end of the name: .gz, .xz, .zst.
Compression compression_of(std::string_view path);

/// The name without .gz, .xz or .zst.
std::string_view without_compression(std::string_view path);

/// A plain file as it lies on the disk. Throws kNotFound, kIo; kInvalidArgument where it is not a
/// regular file (a folder, a pipe, a device).
std::unique_ptr<ByteStream> open_raw(const std::string& path);

/// What the compressed bytes of `source` stand for: several members one after another are one
/// stream, as with gzip, xz and zstd. `name` is for messages.
std::unique_ptr<ByteStream> decompress(std::unique_ptr<ByteStream> source, Compression kind,
                                       std::string name);

/// open_raw() and, by the file's name, decompress(). An empty .gz, .xz or .zst is an empty stream.
std::unique_ptr<ByteStream> open_stream(const std::string& path);

/// A string as a stream, in pieces of at most `piece` bytes (for tests and fuzzing).
std::unique_ptr<ByteStream> stream_of(std::string bytes, std::size_t piece = 1 << 16);

}  // namespace lathe::data
