// The steps of convert(). Internal to it.
#pragma once

#include <memory>
#include <optional>

#include "lathe/base/progress.h"
#include "lathe/life/recipes/convert.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/model/weights/gguf_order.h"
#include "lathe/model/weights/gguf_weights.h"
#include "lathe/model/weights/gguf_write.h"

namespace lathe::recipes::conversion {

struct Source : ModelFiles {
  std::string name;                                // for general.name
  const weights::GgufFile* gguf = nullptr;         // inside of weights, where that is the container
  std::unique_ptr<tokenize::Tokenizer> tokenizer;  // opened by those who need it
  std::string tokenizer_json, chat_template;
  std::optional<std::int64_t> pad;
};
Source open_source(const std::string& path, const FileSystem& files);

/// Counts bytes of sources, and stops when asked to.
class Job {
 public:
  Job(const ConvertOptions& options, std::string target, std::int64_t total)
      : options_(options),
        target_(std::move(target)),
        progress_({.what = "converting", .total = total, .unit = ProgressUnit::bytes}) {}
  /// Throws Cancelled.
  void check() const;
  void done(std::size_t bytes) {
    check();
    progress_.add(static_cast<std::int64_t>(bytes));
  }
  FileSystem& files() const { return *options_.files; }

 private:
  const ConvertOptions& options_;
  std::string target_;
  Progress progress_;
};

/// Hands the tensor on as `type`, some rows at a time: the same bytes where it has that type.
void write_as(const weights::StoredTensor& tensor, const weights::GgufTensorType& type, Job& job,
              const weights::GgufTensorSource::Sink& sink);

ConvertReport to_gguf(const Source& source, const std::string& target,
                      const ConvertOptions& options);
ConvertReport to_folder(const Source& source, const std::string& target,
                        const ConvertOptions& options);

/// tokenizer_config.json and generation_config.json for a folder whose source has none.
void write_side_files(const Source& source, const std::string& folder, FileSystem& files);

}  // namespace lathe::recipes::conversion
