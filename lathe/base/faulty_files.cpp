#include "lathe/base/memory_files.h"

namespace lathe {

bool FaultyFiles::step(const std::string& what) {
  const int now = count_++;
  const bool reached = now >= plan_.at, exactly = now == plan_.at;
  switch (plan_.fault) {
    case Fault::none:
      return false;
    case Fault::error:
      if (exactly) fail_with_errno(plan_.error_number, what);
      return false;
    case Fault::error_stays:
      if (reached) fail_with_errno(plan_.error_number, what);
      return false;
    case Fault::short_write:
      return exactly;
    case Fault::crash:
      if (reached) fail(ErrorCode::kCancelled, "{}: the machine has crashed (test)", what);
      return false;
  }
  return false;
}

class FaultyFiles::Writer final : public FileWriter {
 public:
  Writer(FaultyFiles& files, std::string path, std::unique_ptr<FileWriter> under)
      : files_(files), path_(std::move(path)), under_(std::move(under)) {}

  void write(std::string_view bytes) override {
    const std::string what = fmt::format("write '{}'", path_);
    if (!files_.step(what)) return under_->write(bytes);
    under_->write(bytes.substr(0, bytes.size() / 2));
    fail_with_errno(files_.plan_.error_number, what);
  }
  void sync() override {
    files_.step(fmt::format("sync '{}'", path_));
    under_->sync();
  }
  void close() override {
    files_.step(fmt::format("close '{}'", path_));
    under_->close();
  }

 private:
  FaultyFiles& files_;
  std::string path_;
  std::unique_ptr<FileWriter> under_;
};

std::unique_ptr<FileWriter> FaultyFiles::open_for_write(const std::string& path, WriteMode mode) {
  step(fmt::format("create '{}'", path));
  return std::make_unique<Writer>(*this, path, under_.open_for_write(path, mode));
}

void FaultyFiles::rename(const std::string& from, const std::string& to) {
  step(fmt::format("rename '{}' to '{}'", from, to));
  under_.rename(from, to);
}

void FaultyFiles::sync_directory(const std::string& path) {
  step(fmt::format("sync '{}'", path));
  under_.sync_directory(path);
}

void FaultyFiles::remove_all(const std::string& path) {
  step(fmt::format("remove '{}'", path));
  under_.remove_all(path);
}

void FaultyFiles::make_directories(const std::string& path) {
  step(fmt::format("create folder '{}'", path));
  under_.make_directories(path);
}

}  // namespace lathe
