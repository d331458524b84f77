// File systems for tests: one in memory that can lose power, one that fails when told to.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

namespace lathe {

/// What survives when the power goes.
enum class AfterCrash {
  only_synced,  // contents that were synced, under names whose folder was synced
  names_first,  // names as they were last, but contents only as far as they were synced
};

/// Files in memory. Keeps beside the present state the durable one: what fsync of files and folders
/// has made safe.
class MemoryFiles final : public FileSystem {
 public:
  std::string read_all(const std::string& path) const override;
  MappedFile map(const std::string& path, EmptyFile empty) const override;
  bool exists(const std::string& path) const override;
  bool is_directory(const std::string& path) const override;
  std::uint64_t size(const std::string& path) const override;
  std::vector<std::string> list(const std::string& path) const override;
  std::unique_ptr<FileWriter> open_for_write(const std::string& path, WriteMode mode) override;
  void rename(const std::string& from, const std::string& to) override;
  void sync_directory(const std::string& path) override;
  void remove_all(const std::string& path) override;
  void make_directories(const std::string& path) override;
  std::unique_ptr<FileLock> lock(const std::string& path) override;

  /// The state a machine would find after losing power now. Writers must not be used any more.
  void crash(AfterCrash what);

 private:
  struct Node {  // a file, or a folder where `folder`
    bool folder = false;
    std::string bytes, durable_bytes;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;  // normal path -> node
  class Writer;
  class Lock;

  std::shared_ptr<Node> find(const std::string& path, std::string_view verb) const;
  std::shared_ptr<Node> file(const std::string& path, std::string_view verb) const;

  mutable std::mutex mutex_;
  Names names_, durable_names_;
  std::shared_ptr<std::set<std::string>> locks_ = std::make_shared<std::set<std::string>>();
};

/// Hands everything on to another file system, counts the operations that change it (create, write,
/// sync, close, rename, folder sync, remove, make folder), and fails at a chosen one.
class FaultyFiles final : public FileSystem {
 public:
  enum class Fault {
    none,
    error,        // operation `at` fails with `error_number` and does nothing; later ones work
    error_stays,  // from operation `at` on all fail so (a full disk, a folder turned read-only)
    short_write,  // operation `at`, if a write, writes half of its bytes and fails
    crash,        // operation `at` and all later ones do nothing and throw kCancelled
  };
  struct Plan {
    Fault fault = Fault::none;
    int at = 0;  // the first operation is 0
    int error_number = 0;
  };

  FaultyFiles(FileSystem& under, Plan plan) : under_(under), plan_(plan) {}

  /// Changing operations asked for so far.
  int operations() const { return count_; }

  std::string read_all(const std::string& path) const override { return under_.read_all(path); }
  MappedFile map(const std::string& path, EmptyFile empty) const override {
    return under_.map(path, empty);
  }
  bool exists(const std::string& path) const override { return under_.exists(path); }
  bool is_directory(const std::string& path) const override { return under_.is_directory(path); }
  std::uint64_t size(const std::string& path) const override { return under_.size(path); }
  std::vector<std::string> list(const std::string& path) const override {
    return under_.list(path);
  }
  std::unique_ptr<FileWriter> open_for_write(const std::string& path, WriteMode mode) override;
  void rename(const std::string& from, const std::string& to) override;
  void sync_directory(const std::string& path) override;
  void remove_all(const std::string& path) override;
  void make_directories(const std::string& path) override;
  std::unique_ptr<FileLock> lock(const std::string& path) override { return under_.lock(path); }

 private:
  class Writer;
  /// Counts one operation and throws if it is to fail. True: a write that is to be cut short.
  bool step(const std::string& what);

  FileSystem& under_;
  Plan plan_;
  std::atomic<int> count_{0};
};

}  // namespace lathe
