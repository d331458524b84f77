#include "lathe/data/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe::data {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kCheckEvery = 64 * kMiB;
// gzip cannot exceed 1032:1, text stays below 100:1; beyond both, a file is built to fill disks.
constexpr std::uint64_t kBombRatio = 1100, kBombBytes = 1024 * kMiB;

constexpr std::string_view kAside = ".aside-";

}  // namespace

CacheLock::CacheLock(const std::string& folder) {
  real_files().make_directories(folder);
  const std::string path = join_path(folder, "lock");
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_with_errno(errno, fmt::format("lock '{}'", path));
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  log::info("data: waiting for another process that fills the cache '{}'", folder);
  while (::flock(fd_, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    ::close(fd_);
    fail_with_errno(error, fmt::format("lock '{}'", path));
  }
}

CacheLock::~CacheLock() { ::close(fd_); }

NewFile::NewFile(std::string path)
    : path_(std::move(path)), aside_(fmt::format("{}{}{}", path_, kAside, ::getpid())) {
  real_files().make_directories(parent_path(path_));
  writer_ = real_files().open_for_write(aside_);
}

NewFile::~NewFile() {
  if (committed_) return;
  writer_.reset();
  try {
    real_files().remove_all(aside_);
  } catch (const Error&) {  // the next build removes it
  }
}

void NewFile::write(std::string_view bytes) {
  writer_->write(bytes);
  size_ += bytes.size();
}

void NewFile::commit() {
  writer_->sync();
  writer_->close();
  real_files().rename(aside_, path_);
  committed_ = true;
  real_files().sync_directory(parent_path(path_));
}

void remove_leftovers(const std::string& path) {
  const std::string folder = parent_path(path);
  if (!real_files().is_directory(folder)) return;
  const std::string prefix = file_name(path) + std::string(kAside);
  for (const std::string& name : real_files().list(folder))
    if (name.starts_with(prefix)) real_files().remove_all(join_path(folder, name));
}

TeeStream::TeeStream(ByteStream& source, NewFile& copy, std::string folder, std::string name,
                     std::uint64_t compressed_bytes)
    : source_(source),
      copy_(copy),
      folder_(std::move(folder)),
      name_(std::move(name)),
      compressed_bytes_(compressed_bytes) {
  check_room(compressed_bytes_);
}

std::size_t TeeStream::read(std::span<char> room) {
  const std::size_t n = source_.read(room);
  if (copy_.size() >= next_check_) {
    check_room(n);
    next_check_ = copy_.size() + kCheckEvery;
  }
  copy_.write({room.data(), n});
  if (copy_.size() > kBombBytes && copy_.size() / kBombRatio > compressed_bytes_) {
    fail(ErrorCode::kCorrupt,
         "{}: expected compressed text, got {} out of {}; not text, left alone", name_,
         human_bytes(static_cast<double>(copy_.size())),
         human_bytes(static_cast<double>(compressed_bytes_)));
  }
  return n;
}

void TeeStream::check_room(std::uint64_t needed) const {
  struct statvfs status {};
  if (::statvfs(folder_.c_str(), &status) != 0) return;  // the write itself will tell
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  const std::uint64_t total = std::uint64_t{status.f_blocks} * status.f_frsize;
  const std::uint64_t reserve = std::min(256 * kMiB, total / 50);
  if (free >= needed + reserve) return;
  fail(ErrorCode::kIo,
       "{}: decompressing into '{}' after {}: expected at least {} free, got {}; free some space "
       "or set data.cache to another disk",
       name_, folder_, human_bytes(static_cast<double>(copy_.size())),
       human_bytes(static_cast<double>(needed + reserve)), human_bytes(static_cast<double>(free)));
}

}  // namespace lathe::data
