// The documents of one source by number: a file of offsets, built once and mapped.
//
// Opening a source reads all of it the first time: every document is checked, the report is made,
// compressed files are decompressed into the cache. Later openings cost a look at each file's size,
// time and ends. A document is then read by one pread, wherever it lies.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/data/records.h"
#include "lathe/data/report.h"
#include "lathe/data/source.h"

namespace lathe::data {

/// One record in the index file.
struct IndexEntry {
  std::uint64_t offset;
  std::uint32_t length;
  std::uint32_t file;  // number of the file; the top bit: the next record is the same document

  static constexpr std::uint32_t kContinues = std::uint32_t{1} << 31;
};
static_assert(sizeof(IndexEntry) == 16);

/// The files of one path, folder or glob, as numbered records. Not to be shared between threads.
class DocumentIndex {
 public:
  /// Opens or builds. Throws what for_each_document() and expand_paths() throw, and kIo where the
  /// cache folder cannot be written.
  static DocumentIndex open(const std::string& pattern, const SourceOptions& options,
                            const std::string& cache_folder);

  DocumentIndex(DocumentIndex&&) = default;
  DocumentIndex& operator=(DocumentIndex&&) = default;

  /// Records; a document cut in parts has several.
  std::uint64_t size() const { return count_; }

  /// A function of the texts alone, in order: the same for a file and its compressed twin, wherever
  /// they lie.
  std::uint64_t fingerprint() const { return fingerprint_; }

  const Report& report() const { return report_; }

  /// True when record i + 1 goes on with the document of record i.
  bool continues(std::uint64_t i) const { return (entry(i).file & IndexEntry::kContinues) != 0; }

  /// The text of record i < size(); lives until the next call. Throws kCorrupt where the file was
  /// changed since it was indexed, kNotFound where it is gone.
  std::string_view read(std::uint64_t i);

 private:
  struct File {
    std::string path;        // to read
    std::uint64_t size = 0;  // bytes
    std::int64_t mtime = 0;  // ns; 0: not checked (a file of the cache)
    Format format = Format::kText;
  };
  struct Opened {
    std::uint32_t file;
    int fd;
  };
  class Handles;
  friend class IndexBuilder;

  DocumentIndex() = default;
  /// False where the bytes are not a whole index or a file of the cache that it needs is gone.
  bool load(const std::string& path, const std::string& cache_folder);
  bool load_files(std::string_view table, std::uint64_t n, const std::string& cache_folder);
  IndexEntry entry(std::uint64_t i) const;
  std::string_view read_raw(const IndexEntry& e);
  void forget_pages(std::size_t bytes);

  MappedFile map_;
  std::uint64_t count_ = 0;
  std::uint64_t fingerprint_ = 0;
  Report report_;
  std::vector<File> files_;
  std::shared_ptr<Handles> handles_;
  std::vector<RecordDecoder> decoders_;  // one a format
  std::string raw_;
};

}  // namespace lathe::data
