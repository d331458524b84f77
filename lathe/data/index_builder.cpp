// Makes the index file of a source: one pass over the data.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"
#include "lathe/data/cache.h"
#include "lathe/data/digest.h"
#include "lathe/data/document_index.h"
#include "lathe/data/index_file.h"

namespace lathe::data {
namespace {

constexpr double kProgressEvery = 5;        // seconds
constexpr std::size_t kEntryBuffer = 4096;  // entries

/// A file as it is now, and a key that changes when it does.
struct Seen {
  std::string path;  // absolute
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  // ns
  std::uint64_t key = 0;
};

/// Digest of the first and last 4 KiB: a file rewritten within the clock's resolution differs.
std::uint64_t ends_of(const std::string& path, Seen& seen) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    fail_with_errno(error, fmt::format("read '{}'", path));
  }
  seen.size = static_cast<std::uint64_t>(status.st_size);
  seen.mtime = status.st_mtim.tv_sec * std::int64_t{1000000000} + status.st_mtim.tv_nsec;
  char ends[2][4096];
  const ssize_t head = ::pread(fd, ends[0], sizeof ends[0], 0);
  const ssize_t tail =
      ::pread(fd, ends[1], sizeof ends[1], std::max<off_t>(0, status.st_size - 4096));
  ::close(fd);
  Digest digest;
  if (head > 0) digest.add(std::string_view(ends[0], static_cast<std::size_t>(head)));
  if (tail > 0) digest.add(std::string_view(ends[1], static_cast<std::size_t>(tail)));
  return digest.value();
}

Seen look_at(const std::string& path) {
  Seen seen{.path = std::filesystem::absolute(path).lexically_normal().string()};
  const std::uint64_t ends = ends_of(path, seen);
  seen.key = Digest(kIndexVersion)
                 .add(seen.path)
                 .add(seen.size)
                 .add(static_cast<std::uint64_t>(seen.mtime))
                 .add(ends)
                 .value();
  return seen;
}

std::string key_of(const std::vector<std::string>& paths, const std::vector<Seen>& seen,
                   const SourceOptions& o) {
  Digest digest(kIndexVersion);
  digest.add(o.format).add(o.field).add(o.split).add(o.policy).add(o.notices);
  digest.add(static_cast<std::uint64_t>(o.max_line_bytes));
  digest.add(static_cast<std::uint64_t>(o.part_bytes));
  for (std::size_t i = 0; i < seen.size(); ++i) digest.add(paths[i]).add(seen[i].key);
  return digest.hex();
}

}  // namespace

class IndexBuilder {
 public:
  IndexBuilder(const SourceOptions& options, std::string cache, std::string path)
      : options_(options), cache_(std::move(cache)), out_(std::move(path)) {}

  void build(const std::vector<std::string>& paths, const std::vector<Seen>& seen) {
    if (paths.size() >= IndexEntry::kContinues)
      fail(ErrorCode::kUnsupported, "data: expected fewer than 2^31 files, got {}", paths.size());
    for (std::size_t i = 0; i < paths.size(); ++i) {
      add_file(paths[i], seen[i], static_cast<std::uint32_t>(i));
      files_done_ = i + 1;
    }
    write_end(paths.size());
  }

 private:
  void add_file(const std::string& path, const Seen& seen, std::uint32_t number) {
    const Format format = format_of(path, options_);
    IndexFileHead head{.size = seen.size, .mtime = seen.mtime, .format = std::uint32_t(format)};
    std::string to_read = seen.path;
    if (compression_of(path) == Compression::kNone || seen.size == 0) {
      scan(*open_raw(path), path, format, number);
    } else {
      to_read = fmt::format("raw/{:016x}.raw", seen.key);
      head.size = scan_compressed(path, seen, to_read, format, number);
      head.mtime = 0;
      head.in_cache = 1;
    }
    head.path_bytes = to_read.size();
    table_ += bytes_of(head);
    table_ += to_read;
  }

  /// Returns the size of the decompressed copy in the cache, making it on the way if needed.
  std::uint64_t scan_compressed(const std::string& path, const Seen& seen,
                                const std::string& cached, Format format, std::uint32_t number) {
    const std::string copy_path = join_path(cache_, cached);
    if (real_files().exists(copy_path)) {
      scan(*open_raw(copy_path), path, format, number);
      return real_files().size(copy_path);
    }
    remove_leftovers(copy_path);
    NewFile copy(copy_path);
    const auto source = open_stream(path);
    TeeStream tee(*source, copy, cache_, path, seen.size);
    scan(tee, path, format, number);
    copy.commit();
    return copy.size();
  }

  void scan(ByteStream& stream, const std::string& path, Format format, std::uint32_t number) {
    Intake intake(path, options_.intake_policy(), report_);
    scan_records(stream, format, options_, intake, [&](const Record& record) {
      const std::uint32_t flag = record.continues ? IndexEntry::kContinues : 0;
      add({record.offset, record.length, number | flag});
      fingerprint_.add(record.text).add(record.continues ? 1 : 0);
      if (steady_clock().seconds() >= next_progress_) show_progress(path);
    });
  }

  void add(IndexEntry entry) {
    pending_.push_back(entry);
    ++entries_;
    if (pending_.size() == kEntryBuffer) flush();
  }

  void flush() {
    out_.write(
        {reinterpret_cast<const char*>(pending_.data()), pending_.size() * sizeof(IndexEntry)});
    pending_.clear();
  }

  void write_end(std::uint64_t files) {
    flush();
    const std::string report = report_.to_json();
    IndexFooter footer{.entries = entries_,
                       .files = files,
                       .table_bytes = table_.size(),
                       .report_bytes = report.size(),
                       .fingerprint = fingerprint_.value()};
    footer.digest = footer.digest_of(table_, report);
    out_.write(table_);
    out_.write(report);
    out_.write(bytes_of(footer));
    out_.commit();
  }

  void show_progress(const std::string& path) {
    next_progress_ = steady_clock().seconds() + kProgressEvery;
    log::info("data: indexing '{}': {} files done, {} documents, {}", path, files_done_,
              report_.documents, human_bytes(static_cast<double>(report_.text_bytes)));
  }

  const SourceOptions& options_;
  std::string cache_;
  NewFile out_;
  std::vector<IndexEntry> pending_;
  std::string table_;
  std::uint64_t entries_ = 0;
  std::size_t files_done_ = 0;
  Report report_;
  Digest fingerprint_;
  double next_progress_ = steady_clock().seconds() + kProgressEvery;
};

DocumentIndex DocumentIndex::open(const std::string& pattern, const SourceOptions& options,
                                  const std::string& cache_folder) {
  options.validate();
  const std::vector<std::string> paths = expand_paths({pattern});
  std::vector<Seen> seen;
  for (const std::string& path : paths) {
    format_of(path, options);  // refuse a wrong name before reading for an hour
    seen.push_back(look_at(path));
  }
  const std::string path =
      join_path(cache_folder, fmt::format("index/{}.index", key_of(paths, seen, options)));

  DocumentIndex index;
  if (!index.load(path, cache_folder)) {
    const CacheLock lock(cache_folder);
    if (!index.load(path, cache_folder)) {
      remove_leftovers(path);
      IndexBuilder(options, cache_folder, path).build(paths, seen);
      if (!index.load(path, cache_folder))
        fail(ErrorCode::kInternal, "data: the index '{}' was written but does not load", path);
    }
  }
  index.decoders_.emplace_back(Format::kText, options.field);
  index.decoders_.emplace_back(Format::kJsonLines, options.field);
  return index;
}

}  // namespace lathe::data
