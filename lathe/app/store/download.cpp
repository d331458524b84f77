#include "lathe/app/store/download.h"

#include <charconv>

#include "lathe/app/store/git_blob.h"
#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/format.h"
#include "lathe/base/hash.h"
#include "lathe/base/log.h"

namespace lathe::store {
namespace {

constexpr const char* kIncomplete = ".incomplete";
constexpr std::size_t kIdentityDigits = 16;

std::string identity(const HubFile& file) {
  return file.sha256.empty() ? file.git_oid : file.sha256;
}

std::string final_path(const DownloadTask& task) { return join_path(task.folder, task.file.path); }

/// Parts of other contents of the same file.
void remove_stale_parts(FileSystem& files, const DownloadTask& task) {
  const std::string folder = parent_path(final_path(task));
  const std::string begin = file_name(task.file.path) + ".";
  const std::string ours = file_name(partial_path(task));
  for (const std::string& name : files.list(folder)) {
    const bool stale = name.starts_with(begin) && name.ends_with(kIncomplete) && name != ours;
    if (stale) files.remove_all(join_path(folder, name));
  }
}

/// What is not known from the listing is taken from the headers.
void complete(HubFile& file, const HubFile& told) {
  if (file.size < 0) file.size = told.size;
  if (identity(file).empty()) {
    file.sha256 = told.sha256;
    file.git_oid = told.git_oid;
  }
}

bool differs(const std::string& expected, const std::string& told) {
  return !expected.empty() && !told.empty() && expected != told;
}

/// "bytes 100-199/200" -> 100 and 200; -1 where it is not told or no range.
struct ContentRange {
  std::int64_t first = -1, total = -1;
};
ContentRange parse_content_range(const std::string& text) {
  ContentRange range;
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return range;
  const char* end = text.data() + text.size();
  std::from_chars(text.data() + kUnit.size(), end, range.first);
  if (const std::size_t slash = text.find('/'); slash != text.npos)
    std::from_chars(text.data() + slash + 1, end, range.total);
  return range;
}

class Download {
 public:
  Download(const DownloadTask& task, Hub& hub, FileSystem& files, Progress* progress)
      : task_(task),
        hub_(hub),
        files_(files),
        progress_(progress),
        retry_(hub.rules(), hub.http().options().stop) {}

  DownloadedFile run() {
    if (identity(task_.file).empty() || task_.file.size < 0)
      complete(task_.file, hub_.look_up(task_.name, task_.commit, task_.file.path));
    files_.make_directories(parent_path(final_path(task_)));
    if (is_there_already()) return {size_, sha256_};
    remove_stale_parts(files_, task_);
    path_ = partial_path(task_);
    open(!identity(task_.file).empty());
    while (!is_whole_and_intact(attempt())) {
    }
    writer_->sync();
    writer_->close();
    files_.rename(path_, final_path(task_));
    files_.sync_directory(parent_path(path_));
    return {size_, sha256_};
  }

 private:
  enum class Step { whole, again, from_start };

  /// From a pull that was interrupted later on.
  bool is_there_already() {
    path_ = final_path(task_);
    if (!files_.exists(path_)) return false;
    const MappedFile bytes = files_.map(path_, EmptyFile::allowed);
    size_ = static_cast<std::int64_t>(bytes.size());
    hash_.update(bytes.bytes());
    if (problem_of_contents().empty() && !identity(task_.file).empty()) return true;
    files_.remove_all(path_);
    count(-size_);
    size_ = 0;
    return false;
  }

  void open(bool keep) {
    writer_.reset();
    hash_ = Sha256();
    size_ = 0;
    if (keep && files_.exists(path_)) {
      const MappedFile bytes = files_.map(path_, EmptyFile::allowed);
      hash_.update(bytes.bytes());
      size_ = static_cast<std::int64_t>(bytes.size());
    }
    pieced_ = size_ > 0;
    writer_ = files_.open_for_write(path_, keep ? WriteMode::append : WriteMode::truncate);
  }

  void begin_again() {
    if (restarted_)
      fail(ErrorCode::kIo, "{}: {}: the server does not send it in a form that can be used",
           task_.name.text(), task_.file.path);
    restarted_ = true;
    count(-size_);
    open(false);
  }

  void count(std::int64_t bytes) {
    if (progress_ != nullptr) progress_->add(bytes);
  }

  bool is_complete() const { return task_.file.size >= 0 && size_ == task_.file.size; }

  Step attempt() {
    if (size_ > 0 && is_complete()) return Step::whole;  // only the check was missing
    HttpSink sink;
    sink.begin = [&](const std::vector<HttpHead>& heads) { return accepts(heads); };
    sink.write = [&](std::string_view bytes) { take(bytes); };
    const std::int64_t before = size_;
    const HttpAnswer answer =
        hub_.http().send({.url = hub_.file_url(task_.name, task_.commit, task_.file.path),
                          .token = hub_.access().token,
                          .from = size_},
                         sink);
    if (size_ > before) retry_.reset();
    return judge(answer);
  }

  /// Looks at the headers. A body that goes on where our part ends, or begins anew, is taken.
  bool accepts(const std::vector<HttpHead>& heads) {
    const HttpHead& last = heads.back();
    if (last.status != 200 && last.status != 206) return false;
    const HubFile told = file_from_heads(heads, task_.file.path);
    if (differs(task_.file.sha256, told.sha256) || differs(task_.file.git_oid, told.git_oid))
      throw ContentChanged(ErrorCode::kCorrupt,
                           fmt::format("{}: {}: its contents changed while it was being pulled",
                                       task_.name.text(), task_.file.path));
    if (last.status == 206) {
      const ContentRange range = parse_content_range(last.header("content-range"));
      pieced_ = true;
      return range.first == size_ &&
             (range.total < 0 || task_.file.size < 0 || range.total == task_.file.size);
    }
    if (size_ > 0) {  // the server does not know ranges
      count(-size_);
      open(false);
    }
    return true;
  }

  void take(std::string_view bytes) {
    const auto more = static_cast<std::int64_t>(bytes.size());
    if (task_.file.size >= 0 && size_ + more > task_.file.size)
      fail(ErrorCode::kCorrupt, "{}: {}: expected {} bytes, the server sends more",
           task_.name.text(), task_.file.path, task_.file.size);
    writer_->write(bytes);
    hash_.update(bytes);
    size_ += more;
    count(more);
  }

  Step judge(const HttpAnswer& answer) {
    const int status = answer.status();
    if (answer.refused && (status == 416 || status == 206)) return Step::from_start;
    HttpAnswer outcome = answer;
    const bool ended_early = answer.failure.empty() && !answer.refused && task_.file.size >= 0 &&
                             size_ < task_.file.size;
    if (ended_early)
      outcome.failure =
          fmt::format("the answer ended after {} of {} bytes", size_, task_.file.size);
    if (outcome.failure.empty() && !outcome.refused) return Step::whole;
    if (Retry::may_help(outcome) && retry_.wait(task_.file.path, outcome)) return Step::again;
    hub_.fail_for(task_.name, task_.file.path, outcome);
  }

  /// False where another attempt is to be made.
  bool is_whole_and_intact(Step step) {
    if (step == Step::again) return false;
    if (step == Step::from_start) {
      begin_again();
      return false;
    }
    const std::string problem = problem_of_contents();
    if (problem.empty()) return true;
    writer_.reset();
    files_.remove_all(path_);
    if (!pieced_ || restarted_)
      fail(ErrorCode::kCorrupt, "{}: {}; it was removed, run the same command again",
           task_.name.text(), problem);
    log::warning("{}; beginning it again", problem);
    begin_again();
    return false;
  }

  /// Checks size and checksums of what lies at path_; "" where they are right.
  std::string problem_of_contents() {
    const HubFile& expected = task_.file;
    sha256_ = hash_.finish();
    if (expected.size >= 0 && size_ != expected.size)
      return fmt::format("{}: expected {} bytes, got {}", expected.path, expected.size, size_);
    if (differs(expected.sha256, sha256_))
      return fmt::format("{}: checksum: expected SHA-256 {}, got {}", expected.path,
                         expected.sha256, sha256_);
    if (expected.git_oid.empty()) return "";
    const std::string id = git_blob_id(files_.map(path_, EmptyFile::allowed).bytes());
    if (!differs(expected.git_oid, id)) return "";
    return fmt::format("{}: checksum: expected git id {}, got {}", expected.path, expected.git_oid,
                       id);
  }

  DownloadTask task_;
  Hub& hub_;
  FileSystem& files_;
  Progress* progress_;
  Retry retry_;
  std::string path_, sha256_;
  std::unique_ptr<FileWriter> writer_;
  Sha256 hash_;  // of the size_ bytes at path_
  std::int64_t size_ = 0;
  bool pieced_ = false;  // from more than one answer
  bool restarted_ = false;
};

}  // namespace

std::string partial_path(const DownloadTask& task) {
  const std::string id = identity(task.file).substr(0, kIdentityDigits);
  return final_path(task) + (id.empty() ? "" : "." + id) + kIncomplete;
}

std::int64_t bytes_present(const FileSystem& files, const DownloadTask& task) {
  for (const std::string& path : {final_path(task), partial_path(task)})
    if (files.exists(path)) return static_cast<std::int64_t>(files.size(path));
  return 0;
}

DownloadedFile download(const DownloadTask& task, Hub& hub, FileSystem& files, Progress* progress) {
  return Download(task, hub, files, progress).run();
}

}  // namespace lathe::store
