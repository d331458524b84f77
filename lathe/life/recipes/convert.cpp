#include "lathe/life/recipes/convert.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/life/recipes/convert_parts.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/model/weights/row_codec.h"

namespace lathe::recipes {
namespace conversion {
namespace {

using weights::StoredTensor;

constexpr std::size_t kPiece = std::size_t{16} << 20;  // bytes written at once
constexpr std::int64_t kElements = 1 << 20;            // elements converted at once

/// Files as they lie beside the weights.
std::string read_beside(const std::string& folder, const char* name, const FileSystem& files) {
  const std::string path = join_path(folder, name);
  return files.exists(path) ? files.read_all(path) : "";
}

}  // namespace

Source open_source(const std::string& path, const FileSystem& files) {
  Source s;
  static_cast<ModelFiles&>(s) = open_model_files(path, files);
  s.name = file_name(path);
  s.chat_template = chat_template_of(s, files);
  if (s.kind != ModelFiles::Kind::gguf) {
    s.tokenizer_json = read_beside(s.path, "tokenizer.json", files);
    return s;
  }
  s.gguf = &dynamic_cast<const weights::GgufWeights&>(*s.weights).file();
  s.name = s.gguf->metadata().text("general.name").value_or("");
  s.tokenizer_json = s.gguf->metadata().text(kGgufTokenizerJson).value_or("");
  return s;
}

void Job::check() const {
  if (options_.stop.requested())
    fail(ErrorCode::kCancelled, "stopped on request; {} was not written", target_);
}

void write_as(const StoredTensor& t, const weights::GgufTensorType& type, Job& job,
              const weights::GgufTensorSource::Sink& sink) {
  const auto* bytes = reinterpret_cast<const char*>(t.tensor.bytes_begin());
  const weights::GgufTensorType& from = weights::type_of(t);
  if (&from == &type) {
    for (std::size_t at = 0; at < t.tensor.bytes(); at += kPiece) {
      const std::size_t n = std::min(kPiece, t.tensor.bytes() - at);
      sink({bytes + at, n});
      job.done(n);
    }
    return;
  }
  const std::int64_t n = t.shape.at(-1), rows = t.shape.count() / n;
  const std::int64_t step = std::max<std::int64_t>(1, kElements / n);
  const std::size_t from_bytes = weights::row_bytes(from, n),
                    to_bytes = weights::row_bytes(type, n);
  std::vector<float> values(static_cast<std::size_t>(std::min(step, rows) * n));
  std::string out(static_cast<std::size_t>(std::min(step, rows)) * to_bytes, '\0');
  for (std::int64_t row = 0; row < rows; row += step) {
    const std::int64_t count = std::min(step, rows - row);
    weights::decode_rows(from, bytes + static_cast<std::size_t>(row) * from_bytes, values.data(),
                         count, n);
    weights::encode_rows(type, values.data(), out.data(), count, n);
    sink({out.data(), static_cast<std::size_t>(count) * to_bytes});
    job.done(static_cast<std::size_t>(count) * from_bytes);
  }
}

}  // namespace conversion

ConvertReport convert(const std::string& from, const std::string& to,
                      const ConvertOptions& options) {
  std::string target = to;
  while (target.size() > 1 && target.ends_with('/')) target.pop_back();
  conversion::Source source = conversion::open_source(from, *options.files);
  const bool file = target.ends_with(".gguf");
  // From GGUF to GGUF the tokenizer's keys are copied and need not be understood.
  if (!file || source.gguf == nullptr) source.tokenizer = open_tokenizer(source, *options.files);
  return file ? conversion::to_gguf(source, target, options)
              : conversion::to_folder(source, target, options);
}

}  // namespace lathe::recipes
