// The cache folder: what is derived from the data and can be made again at any time.
//
//   <cache>/index/<key>.index        where each document of a source lies (document_index.h)
//   <cache>/raw/<key>.raw            a compressed file, decompressed
//   <cache>/tokens/<key>/            ids of the documents seen so far (token_cache.h)
//   <cache>/lock
// Keys are digests of all that the contents depend on, so a stale file is never found. Files appear
// under their names only when they are whole and on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lathe/base/files.h"
#include "lathe/data/byte_stream.h"

namespace lathe::data {

/// Holds <folder>/lock while it lives; waits for another process that holds it.
class CacheLock {
 public:
  /// Throws kIo where the folder cannot be written.
  explicit CacheLock(const std::string& folder);
  ~CacheLock();
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;

 private:
  int fd_ = -1;
};

/// A file written aside and moved to its name by commit(); without that, it is removed.
class NewFile {
 public:
  explicit NewFile(std::string path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view bytes);
  std::uint64_t size() const { return size_; }

  /// On return the whole file is on the disk under its name.
  void commit();

 private:
  std::string path_, aside_;
  std::unique_ptr<FileWriter> writer_;
  std::uint64_t size_ = 0;
  bool committed_ = false;
};

/// Removes what killed processes left of files that were being written to `path`. The caller holds
/// the lock.
void remove_leftovers(const std::string& path);

/// Passes a stream on and writes it to a new file. Throws kIo before the disk of the file is full,
/// kCorrupt where `compressed_bytes` grow beyond reason.
class TeeStream final : public ByteStream {
 public:
  TeeStream(ByteStream& source, NewFile& copy, std::string folder, std::string name,
            std::uint64_t compressed_bytes);
  std::size_t read(std::span<char> room) override;

 private:
  void check_room(std::uint64_t needed) const;

  ByteStream& source_;
  NewFile& copy_;
  std::string folder_, name_;
  std::uint64_t compressed_bytes_;
  std::uint64_t next_check_ = 0;
};

}  // namespace lathe::data
