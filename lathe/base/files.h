// Files behind an interface, so that tests can use memory, fill a disk and pull the plug.
//
// Every failure is an lathe::Error of code kNotFound or kIo whose message has the operation, the
// path and the system's reason ("rename 'a' to 'b': No space left on device").
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// A file being written. The destructor closes without throwing: call close() to see its error.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual void write(std::string_view bytes) = 0;
  /// Returns when the bytes so far would survive a power cut.
  virtual void sync() = 0;
  virtual void close() = 0;
};

/// Holds a lock while it lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// A whole file, read-only, in memory. Mapped by the real file system: nothing is read before it
/// is used, and the file must not shrink meanwhile.
class MappedFile {
 public:
  MappedFile() = default;
  /// mapped: the pages are those of a file; the system can drop them and read them again.
  MappedFile(const void* data, std::size_t size, std::shared_ptr<const void> owner,
             bool mapped = false)
      : data_(static_cast<const char*>(data)),
        size_(size),
        owner_(std::move(owner)),
        mapped_(mapped) {}

  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(data_); }
  std::size_t size() const { return size_; }
  std::string_view bytes() const { return {data_, size_}; }
  bool mapped() const { return mapped_; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const void> owner_;
  bool mapped_ = false;
};

enum class WriteMode { truncate, append };
enum class EmptyFile { refused, allowed };

/// Paths are as the operating system takes them; relative ones start at the working folder. All
/// functions may be called from any thread; a FileWriter belongs to one.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual std::string read_all(const std::string& path) const = 0;
  /// Throws kCorrupt for an empty file unless allowed.
  virtual MappedFile map(const std::string& path, EmptyFile empty = EmptyFile::refused) const = 0;
  virtual bool exists(const std::string& path) const = 0;
  virtual bool is_directory(const std::string& path) const = 0;
  virtual std::uint64_t size(const std::string& path) const = 0;
  /// Names (not paths) of what a folder holds, sorted.
  virtual std::vector<std::string> list(const std::string& path) const = 0;

  virtual std::unique_ptr<FileWriter> open_for_write(const std::string& path,
                                                     WriteMode mode = WriteMode::truncate) = 0;
  /// Replaces `to` if it exists and is a file (or an empty folder when `from` is a folder).
  virtual void rename(const std::string& from, const std::string& to) = 0;
  /// Makes creations, renames and removals in this folder survive a power cut.
  virtual void sync_directory(const std::string& path) = 0;
  /// A file, or a folder with all it holds; nothing happens where there is none.
  virtual void remove_all(const std::string& path) = 0;
  /// With parents; nothing happens where it exists.
  virtual void make_directories(const std::string& path) = 0;
  /// Takes the lock of this file (made if absent) or throws kIo and names the process that has
  /// it. The lock ends with the process at the latest, however that ends.
  virtual std::unique_ptr<FileLock> lock(const std::string& path) = 0;
};

/// The machine's files.
FileSystem& real_files();

/// Writes `bytes` so that `path` has either its old contents or all of the new ones, also after a
/// power cut: a temporary file beside it, fsync, rename, fsync of the folder. One writer a path.
void write_file_atomically(FileSystem& files, const std::string& path, std::string_view bytes);

/// "a/b/c" -> "a/b"; "c" -> "."; "/c" -> "/".
std::string parent_path(const std::string& path);

/// "a/b/c" -> "c".
std::string file_name(const std::string& path);

/// "a" and "b" -> "a/b"; an absolute `name` stands alone.
std::string join_path(const std::string& folder, const std::string& name);

/// Throws kNotFound (for ENOENT) or kIo: "what: reason; hint".
[[noreturn]] void fail_with_errno(int error_number, const std::string& what);

}  // namespace lathe
