// The steps of convert(). Internal to it.
#pragma once

#include <memory>
#include <optional>

#include "lathe/base/progress.h"
#include "lathe/life/recipes/convert.h"
#include "lathe/model/model.h"
#include "lathe/model/weights/gguf_order.h"
#include "lathe/model/weights/gguf_weights.h"
#include "lathe/model/weights/gguf_write.h"
#include "lathe/model/weights/weight_source.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::recipes::conversion {

struct Source {
  std::string path, name;  // name: for general.name
  std::string hf_folder;   // files beside the weights, where it is one
  model::ModelConfig config;
  std::unique_ptr<weights::WeightSource> weights;
  const weights::GgufFile* gguf = nullptr;  // inside of weights
  std::unique_ptr<tokenize::Tokenizer> tokenizer;
  std::string tokenizer_json, chat_template;
  std::vector<std::int64_t> eos;
  std::optional<std::int64_t> bos, pad;
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

/// The float type in which most of the source's bytes are; f32 for quantised ones.
DType main_dtype(const weights::WeightSource& source);

/// tokenizer_config.json and generation_config.json for a folder whose source has none.
void write_side_files(const Source& source, const std::string& folder, FileSystem& files);
std::string read_chat_template(const std::string& folder, const FileSystem& files);

}  // namespace lathe::recipes::conversion
