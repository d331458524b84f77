#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

namespace lathe {
namespace {

constexpr std::size_t kLargestCall = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call

std::string quoted(std::string_view verb, const std::string& path) {
  return fmt::format("{} '{}'", verb, path);
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, std::string_view verb) {
    do {
      fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) fail_with_errno(errno, quoted(verb, path));
  }
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

  /// 0 or the error number.
  int close() {
    if (fd_ < 0) return 0;
    const int result = ::close(fd_);
    fd_ = -1;
    return result == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int fd_ = -1;
};

class RealWriter final : public FileWriter {
 public:
  RealWriter(const std::string& path, WriteMode mode)
      : path_(path),
        file_(path, O_WRONLY | O_CREAT | (mode == WriteMode::append ? O_APPEND : O_TRUNC),
              "create") {}

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), std::min(bytes.size(), kLargestCall));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_with_errno(errno, quoted("write", path_));
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void sync() override {
    // Pipes and terminals have nothing to sync, which is no failure.
    if (::fsync(file_.get()) != 0 && errno != EINVAL) fail_with_errno(errno, quoted("sync", path_));
  }

  void close() override {
    if (const int error = file_.close()) fail_with_errno(error, quoted("close", path_));
  }

 private:
  std::string path_;
  Descriptor file_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(const std::string& path) : file_(path, O_RDWR | O_CREAT, "lock") {
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail_with_errno(errno, quoted("lock", path));
      fail(ErrorCode::kIo, "lock '{}': in use by {}; wait for it to end or stop it first", path,
           holder());
    }
    const std::string text = fmt::format("{}\n", ::getpid());
    // What the file says only serves the message above; the lock itself does not depend on it.
    if (::ftruncate(file_.get(), 0) != 0 || ::pwrite(file_.get(), text.data(), text.size(), 0) < 0)
      return;
  }

 private:
  std::string holder() const {
    char text[32] = {};
    const ssize_t n = ::pread(file_.get(), text, sizeof text - 1, 0);
    const long pid = n > 0 ? std::strtol(text, nullptr, 10) : 0;
    return pid > 0 ? fmt::format("process {}", pid) : std::string("another process");
  }

  Descriptor file_;  // closing it ends the lock
};

struct Mapping {
  void* data;
  std::size_t size;
  ~Mapping() { ::munmap(data, size); }
};

struct stat status_of(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail_with_errno(errno, quoted("read", path));
  if (S_ISDIR(status.st_mode)) fail_with_errno(EISDIR, quoted("read", path));
  return status;
}

class RealFiles final : public FileSystem {
 public:
  std::string read_all(const std::string& path) const override {
    const Descriptor file(path, O_RDONLY, "read");
    const struct stat status = status_of(file.get(), path);
    std::string bytes;
    std::size_t have = 0;
    // The size is a hint only: pipes and /proc say 0.
    for (std::size_t room = static_cast<std::size_t>(status.st_size) + 1;; room = 1 << 16) {
      bytes.resize(have + room);
      const ssize_t n = ::read(file.get(), bytes.data() + have, std::min(room, kLargestCall));
      if (n < 0 && errno != EINTR) fail_with_errno(errno, quoted("read", path));
      if (n == 0) break;
      have += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    bytes.resize(have);
    return bytes;
  }

  MappedFile map(const std::string& path, EmptyFile empty) const override {
    const Descriptor file(path, O_RDONLY, "read");
    const auto size = static_cast<std::size_t>(status_of(file.get(), path).st_size);
    if (size == 0 && empty == EmptyFile::allowed) return {};
    if (size == 0) fail(ErrorCode::kCorrupt, "read '{}': the file is empty", path);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) fail_with_errno(errno, quoted("map", path));
    return {data, size, std::shared_ptr<const Mapping>(new Mapping{data, size}), true};
  }

  bool exists(const std::string& path) const override {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
  }

  bool is_directory(const std::string& path) const override {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  }

  std::uint64_t size(const std::string& path) const override {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) fail_with_errno(errno, quoted("read", path));
    return static_cast<std::uint64_t>(status.st_size);
  }

  std::vector<std::string> list(const std::string& path) const override {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) fail_with_errno(errno, quoted("list", path));
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  std::unique_ptr<FileWriter> open_for_write(const std::string& path, WriteMode mode) override {
    return std::make_unique<RealWriter>(path, mode);
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      fail_with_errno(errno, fmt::format("rename '{}' to '{}'", from, to));
  }

  void sync_directory(const std::string& path) override {
    const Descriptor folder(path, O_RDONLY | O_DIRECTORY, "sync");
    // Some network and overlay file systems cannot sync a folder and say EINVAL.
    if (::fsync(folder.get()) != 0 && errno != EINVAL) fail_with_errno(errno, quoted("sync", path));
  }

  void remove_all(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) fail_with_errno(error.value(), quoted("remove", path));
  }

  void make_directories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) fail_with_errno(error.value(), quoted("create folder", path));
    if (!is_directory(path)) fail_with_errno(ENOTDIR, quoted("create folder", path));
  }

  std::unique_ptr<FileLock> lock(const std::string& path) override {
    return std::make_unique<RealLock>(path);
  }
};

}  // namespace

FileSystem& real_files() {
  static RealFiles files;
  return files;
}

}  // namespace lathe
