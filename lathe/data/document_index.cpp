#include "lathe/data/document_index.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lathe/base/error.h"
#include "lathe/data/index_file.h"

namespace lathe::data {
namespace {

constexpr std::size_t kHandles = 8;          // open files; a process may have as few as 16 in all
constexpr std::uint64_t kForgetEvery = 512;  // reads; each may map 64 KiB of the index

}  // namespace

/// The files read last stay open.
class DocumentIndex::Handles {
 public:
  ~Handles() {
    for (const Opened& o : open_) ::close(o.fd);
  }

  int of(std::uint32_t number, const File& file) {
    const auto found =
        std::find_if(open_.begin(), open_.end(), [&](const Opened& o) { return o.file == number; });
    if (found != open_.end()) {
      open_.splice(open_.begin(), open_, found);
      return open_.front().fd;
    }
    if (open_.size() >= kHandles) {
      ::close(open_.back().fd);
      open_.pop_back();
    }
    open_.push_front({number, open_checked(file)});
    return open_.front().fd;
  }

  std::uint64_t reads = 0;

 private:
  static int open_checked(const File& file) {
    const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail_with_errno(errno, fmt::format("read '{}'", file.path));
    struct stat status {};
    const bool known = ::fstat(fd, &status) == 0;
    const std::int64_t mtime =
        status.st_mtim.tv_sec * std::int64_t{1000000000} + status.st_mtim.tv_nsec;
    if (known && static_cast<std::uint64_t>(status.st_size) == file.size &&
        (file.mtime == 0 || mtime == file.mtime)) {
      return fd;
    }
    ::close(fd);
    fail_changed(file);
  }

 public:
  [[noreturn]] static void fail_changed(const File& file) {
    fail(ErrorCode::kCorrupt,
         "read '{}': expected the file that was indexed, got a changed one; start again to index "
         "it afresh",
         file.path);
  }

 private:
  std::list<Opened> open_;
};

bool DocumentIndex::load(const std::string& path, const std::string& cache_folder) {
  if (!real_files().exists(path)) return false;
  map_ = real_files().map(path, EmptyFile::allowed);
  std::string_view bytes = map_.bytes();
  IndexFooter footer;
  if (bytes.size() < sizeof footer) return false;
  std::string_view end = bytes.substr(bytes.size() - sizeof footer);
  take(end, footer);
  bytes.remove_suffix(sizeof footer);
  if (std::string_view(footer.magic, 8) != kIndexMagic || footer.version != kIndexVersion)
    return false;
  if (footer.entries > bytes.size() / sizeof(IndexEntry)) return false;
  const std::string_view rest = bytes.substr(footer.entries * sizeof(IndexEntry));
  if (footer.table_bytes > rest.size() || footer.report_bytes != rest.size() - footer.table_bytes)
    return false;
  const std::string_view table = rest.substr(0, footer.table_bytes);
  const std::string_view report = rest.substr(footer.table_bytes);
  if (footer.digest != footer.digest_of(table, report)) return false;
  count_ = footer.entries;
  fingerprint_ = footer.fingerprint;
  report_ = Report::from_json(report);
  handles_ = std::make_shared<Handles>();
  return load_files(table, footer.files, cache_folder);
}

bool DocumentIndex::load_files(std::string_view table, std::uint64_t n,
                               const std::string& cache_folder) {
  files_.clear();
  for (std::uint64_t i = 0; i < n; ++i) {
    IndexFileHead head;
    if (!take(table, head) || head.path_bytes > table.size()) return false;
    std::string path(table.substr(0, head.path_bytes));
    table.remove_prefix(head.path_bytes);
    if (head.in_cache != 0) path = join_path(cache_folder, path);
    if (head.in_cache != 0 && (!real_files().exists(path) || real_files().size(path) != head.size))
      return false;
    files_.push_back({std::move(path), head.size, head.mtime, static_cast<Format>(head.format)});
  }
  return table.empty();
}

IndexEntry DocumentIndex::entry(std::uint64_t i) const {
  LATHE_CHECK(i < count_);
  IndexEntry e;
  std::memcpy(&e, map_.data() + i * sizeof e, sizeof e);
  return e;
}

std::string_view DocumentIndex::read(std::uint64_t i) {
  const IndexEntry e = entry(i);
  if (++handles_->reads % kForgetEvery == 0) forget_pages(map_.size());
  const std::string_view raw = read_raw(e);
  const File& file = files_[e.file & ~IndexEntry::kContinues];
  const auto decoded = decoders_[file.format == Format::kText ? 0 : 1].decode(raw);
  if (!decoded.ok || decoded.text.empty()) Handles::fail_changed(file);
  return decoded.text;
}

std::string_view DocumentIndex::read_raw(const IndexEntry& e) {
  const std::uint32_t number = e.file & ~IndexEntry::kContinues;
  if (number >= files_.size() || e.offset > files_[number].size ||
      e.length > files_[number].size - e.offset) {
    fail(ErrorCode::kCorrupt,
         "data index: expected a record inside its file, got one outside; "
         "remove the cache folder");
  }
  const int fd = handles_->of(number, files_[number]);
  raw_.resize(e.length);
  std::size_t have = 0;
  while (have < e.length) {
    const ssize_t n =
        ::pread(fd, raw_.data() + have, e.length - have, static_cast<off_t>(e.offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_with_errno(errno, fmt::format("read '{}'", files_[number].path));
    if (n == 0) Handles::fail_changed(files_[number]);
    have += static_cast<std::size_t>(n);
  }
  return raw_;
}

/// The page cache keeps what is read often; mapped pages would count as our memory for ever.
void DocumentIndex::forget_pages(std::size_t bytes) {
  ::madvise(const_cast<std::uint8_t*>(map_.data()), bytes, MADV_DONTNEED);
}

}  // namespace lathe::data
