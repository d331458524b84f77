#include "lathe/life/recipes/convert.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/toml.h"
#include "lathe/life/recipes/convert_parts.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/pretrain.h"
#include "lathe/life/train/checkpoint.h"
#include "lathe/model/weights/hf_folder.h"
#include "lathe/model/weights/row_codec.h"

namespace lathe::recipes {
namespace conversion {
namespace {

using weights::StoredTensor;

constexpr std::size_t kPiece = std::size_t{16} << 20;  // bytes written at once
constexpr std::int64_t kElements = 1 << 20;            // elements converted at once

void take_gguf(Source& s, const ModelFiles& opened) {
  s.gguf = &dynamic_cast<const weights::GgufWeights&>(*opened.weights).file();
  const weights::GgufMetadata& m = s.gguf->metadata();
  s.name = m.text("general.name").value_or("");
  s.tokenizer_json = m.text(kGgufTokenizerJson).value_or("");
  s.chat_template = m.text(kGgufChatTemplate).value_or("");
}

void take_tokenizer_json(Source& s, const std::string& folder, const FileSystem& files) {
  const std::string path = join_path(folder, "tokenizer.json");
  if (files.exists(path)) s.tokenizer_json = files.read_all(path);
  if (files.exists(path) || files.exists(join_path(folder, "tokenizer.model")))
    s.tokenizer = tokenize::load_tokenizer(folder);
}

Source open_run(const std::string& path, const FileSystem& files) {
  Source s;
  s.path = train::resolve_checkpoint(files, path);
  s.name = file_name(path);
  PretrainConfig config;
  const std::string toml = join_path(s.path, "config.toml");
  read_toml_text(files.read_all(toml), toml, config);
  s.config = config.model;
  s.config.resolve();
  s.weights = std::make_unique<weights::HfWeights>(
      weights::HfWeights::open(join_path(s.path, "weights.safetensors"), files));
  take_tokenizer_json(s, s.path, files);
  return s;
}

}  // namespace

Source open_source(const std::string& path, const FileSystem& files) {
  if (!is_model_files(path, files)) return open_run(path, files);
  ModelFiles opened = open_model_files(path, files);
  Source s;
  s.path = opened.path;
  s.config = opened.config;
  s.eos = opened.eos;
  s.bos = opened.bos;
  if (opened.kind == ModelFiles::Kind::gguf) {
    take_gguf(s, opened);
  } else {
    s.hf_folder = opened.path;
    s.name = file_name(opened.path);
    take_tokenizer_json(s, opened.path, files);
    s.chat_template = read_chat_template(opened.path, files);
  }
  s.weights = std::move(opened.weights);
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

DType main_dtype(const weights::WeightSource& source) {
  std::size_t bytes[3] = {0, 0, 0};
  constexpr DType kTypes[3] = {DType::f32, DType::f16, DType::bf16};
  for (const std::string& name : source.names()) {
    const StoredTensor t = source.get(name);
    for (int i = 0; i < 3; ++i)
      if (t.tensor.dtype() == (t.quant ? DType::u8 : kTypes[i])) bytes[i] += t.tensor.bytes();
  }
  return kTypes[std::max_element(bytes, bytes + 3) - bytes];
}

}  // namespace conversion

ConvertReport convert(const std::string& from, const std::string& to,
                      const ConvertOptions& options) {
  std::string target = to;
  while (target.size() > 1 && target.ends_with('/')) target.pop_back();
  conversion::Source source = conversion::open_source(from, *options.files);
  if (target.ends_with(".gguf")) return conversion::to_gguf(source, target, options);
  // From GGUF to GGUF the tokenizer's keys are copied and need not be understood.
  if (source.gguf != nullptr) source.tokenizer = gguf_tokenizer(source.gguf->metadata());
  return conversion::to_folder(source, target, options);
}

}  // namespace lathe::recipes
