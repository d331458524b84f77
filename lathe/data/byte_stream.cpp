#include "lathe/data/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

namespace lathe::data {
namespace {

class RawFile final : public ByteStream {
 public:
  explicit RawFile(const std::string& path) : path_(path) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer before it can be refused.
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) fail_with_errno(errno, fmt::format("read '{}'", path));
    struct stat status {};
    const int result = ::fstat(fd_, &status);
    if (result == 0 && S_ISREG(status.st_mode)) {
      size_ = status.st_size;
      ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
      return;
    }
    ::close(fd_);
    fail(ErrorCode::kInvalidArgument, "read '{}': expected a regular file, got {}", path,
         S_ISDIR(status.st_mode) ? "a folder" : "a pipe or device");
  }
  ~RawFile() override { ::close(fd_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  std::int64_t size() const { return size_; }

  std::size_t read(std::span<char> room) override {
    for (;;) {
      const ssize_t n = ::read(fd_, room.data(), room.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) fail_with_errno(errno, fmt::format("read '{}'", path_));
    }
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::int64_t size_ = 0;
};

class StringStream final : public ByteStream {
 public:
  StringStream(std::string bytes, std::size_t piece) : bytes_(std::move(bytes)), piece_(piece) {}

  std::size_t read(std::span<char> room) override {
    const std::size_t n = std::min({room.size(), piece_, bytes_.size() - at_});
    std::memcpy(room.data(), bytes_.data() + at_, n);
    at_ += n;
    return n;
  }

 private:
  std::string bytes_;
  std::size_t piece_;
  std::size_t at_ = 0;
};

}  // namespace

Compression compression_of(std::string_view path) {
  if (path.ends_with(".gz")) return Compression::kGzip;
  if (path.ends_with(".xz")) return Compression::kXz;
  if (path.ends_with(".zst")) return Compression::kZstd;
  return Compression::kNone;
}

std::string_view without_compression(std::string_view path) {
  return compression_of(path) == Compression::kNone ? path : path.substr(0, path.rfind('.'));
}

std::unique_ptr<ByteStream> open_raw(const std::string& path) {
  return std::make_unique<RawFile>(path);
}

std::unique_ptr<ByteStream> open_stream(const std::string& path) {
  const Compression kind = compression_of(path);
  auto raw = std::make_unique<RawFile>(path);
  if (raw->size() == 0) return raw;  // an empty .gz is an empty file, not a truncated one
  return kind == Compression::kNone ? std::unique_ptr<ByteStream>(std::move(raw))
                                    : decompress(std::move(raw), kind, path);
}

std::unique_ptr<ByteStream> stream_of(std::string bytes, std::size_t piece) {
  return std::make_unique<StringStream>(std::move(bytes), piece);
}

}  // namespace lathe::data
