// Anything into a folder as Hugging Face transformers saves it.
#include <algorithm>
#include <cctype>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/life/recipes/convert_parts.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/weights/gguf_recipe.h"
#include "lathe/model/weights/hf_folder.h"
#include "lathe/model/weights/row_codec.h"

namespace lathe::recipes::conversion {
namespace {

using weights::StoredTensor;
using weights::TensorSource;

constexpr DType kFloats[] = {DType::f32, DType::f16, DType::bf16};

DType wanted_dtype(const Source& s, const std::string& type) {
  if (type.empty()) {
    if (s.gguf == nullptr) return weights::main_dtype(*s.weights);
    const auto file_type = s.gguf->metadata().integer("general.file_type").value_or(0);
    return file_type == 1 ? DType::f16 : file_type == 32 ? DType::bf16 : DType::f32;
  }
  std::string lower = type;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const DType dtype : kFloats)
    if (lower == name(dtype)) return dtype;
  fail(ErrorCode::kInvalidArgument,
       "type '{}': a folder holds f32, f16 or bf16; quantised weights go into a file that ends in "
       ".gguf",
       type);
}

const char* hf_name(DType dtype) {
  return dtype == DType::f32 ? "float32" : dtype == DType::f16 ? "float16" : "bfloat16";
}

Tensor as_dtype(const StoredTensor& t, DType dtype) {
  if (!t.quant && t.tensor.dtype() == dtype) return t.tensor;
  const std::vector<float> values = weights::decoded(t);
  const Tensor out = Tensor::empty(t.shape, dtype);
  const std::int64_t n = t.shape.at(-1);
  encode_rows(weights::tensor_type(dtype), values.data(), out.bytes_begin(), t.shape.count() / n,
              n);
  return out;
}

/// Whether rounding to the type loses nothing. GGUF keeps vectors in f32 whatever the matrices are:
/// those that were of the matrices' type become it again.
bool fits(const weights::WeightSource& source, const std::string& name, DType dtype) {
  if (dtype == DType::f32) return true;
  const StoredTensor t = source.get(name);
  const std::vector<float> values = weights::decoded(t);
  const Tensor rounded = as_dtype(t, dtype);
  return rounded.to_floats() == values;
}

std::vector<TensorSource> plan(const Source& s, const ConvertOptions& options, DType dtype,
                               Job& job) {
  std::vector<TensorSource> out;
  for (const std::string& name : s.weights->names()) {
    if (s.config.tied && (name == "lm_head.weight" || name == "embed_out.weight")) continue;
    const weights::StoredFacts t = s.weights->facts(name);
    DType to = dtype;
    if (options.type.empty() && t.dtype)
      to = s.gguf != nullptr && t.dtype == DType::f32 && fits(*s.weights, name, dtype) ? dtype
                                                                                       : *t.dtype;
    out.push_back({name, to, t.shape, [&s, &job, name, to, bytes = t.bytes] {
                     job.check();
                     const StoredTensor stored = s.weights->get(name);
                     job.done(bytes);
                     return as_dtype(stored, to);
                   }});
  }
  return out;
}

model::HfConfig config_of(const Source& s, DType dtype) {
  model::HfConfig config;
  config.model = s.config;
  config.dtype = hf_name(dtype);
  config.eos = s.eos;
  config.bos = s.bos;
  config.pad = s.pad;
  if (s.tokenizer == nullptr) return config;
  if (config.eos.empty())
    if (const auto id = s.tokenizer->eos_id()) config.eos = {*id};
  if (!config.bos) config.bos = s.tokenizer->bos_id();
  return config;
}

std::uint64_t folder_bytes(const FileSystem& files, const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const std::string& name : files.list(folder)) bytes += files.size(join_path(folder, name));
  return bytes;
}

void fill(const Source& s, const std::string& folder, DType dtype,
          const std::vector<TensorSource>& tensors, FileSystem& files) {
  files.make_directories(folder);
  write_hf_weights(files, folder, tensors);
  write_file_atomically(files, join_path(folder, "config.json"),
                        model::write_hf_config(config_of(s, dtype)));
  if (s.kind == ModelFiles::Kind::hf_folder) {
    weights::copy_hf_side_files(files, s.path, folder);
    return;
  }
  if (s.tokenizer == nullptr) return;
  write_file_atomically(files, join_path(folder, "tokenizer.json"),
                        s.tokenizer_json.empty() ? s.tokenizer->to_json() : s.tokenizer_json);
  write_side_files(s, folder, files);
}

/// Nothing there, or an empty folder: what a finished one may replace.
void check_free(const std::string& target, const FileSystem& files) {
  if (!files.exists(target)) return;
  if (!files.is_directory(target))
    fail(ErrorCode::kInvalidArgument,
         "{}: there is a file of this name; a GGUF file's name ends in .gguf", target);
  if (!files.list(target).empty())
    fail(ErrorCode::kInvalidArgument, "{}: the folder is not empty; remove it or choose another",
         target);
}

}  // namespace

ConvertReport to_folder(const Source& s, const std::string& target, const ConvertOptions& options) {
  FileSystem& files = *options.files;
  check_free(target, files);
  const DType dtype = wanted_dtype(s, options.type);
  std::int64_t total = 0;
  for (const std::string& name : s.weights->names())
    total += static_cast<std::int64_t>(s.weights->facts(name).bytes);
  Job job(options, target, total);
  const std::vector<TensorSource> tensors = plan(s, options, dtype, job);
  const std::string aside = target + ".part";
  files.remove_all(aside);
  try {
    fill(s, aside, dtype, tensors, files);
    files.sync_directory(aside);
    files.rename(aside, target);
  } catch (...) {
    files.remove_all(aside);
    throw;
  }
  files.sync_directory(parent_path(target));
  ConvertReport report;
  report.type = name(dtype);
  report.tensors = static_cast<std::int64_t>(tensors.size());
  report.bytes = folder_bytes(files, target);
  if (s.tokenizer == nullptr && s.kind != ModelFiles::Kind::hf_folder)
    report.notes.emplace_back("the source has no tokenizer");
  return report;
}

void write_side_files(const Source& s, const std::string& folder, FileSystem& files) {
  using tokenize::Role;
  Tree config = Tree::table();
  config.add("tokenizer_class", Tree::of(std::string("PreTrainedTokenizerFast")));
  const std::pair<const char*, Role> roles[] = {{"bos_token", Role::kBos},
                                                {"eos_token", Role::kEos},
                                                {"unk_token", Role::kUnknown},
                                                {"pad_token", Role::kPadding}};
  for (const auto& [key, role] : roles)
    if (const auto id = s.tokenizer->role(role))
      config.add(key, Tree::of(std::string(s.tokenizer->token_bytes(*id))));
  config.add("clean_up_tokenization_spaces", Tree::of(false));
  config.add("model_max_length", Tree::of(s.config.context));
  if (!s.chat_template.empty()) config.add("chat_template", Tree::of(s.chat_template));
  write_file_atomically(files, join_path(folder, "tokenizer_config.json"),
                        print_json(config, 2) + "\n");
  std::vector<std::int64_t> stops;
  for (const std::int32_t id : s.tokenizer->stop_ids()) stops.push_back(id);
  Tree generation = Tree::table();
  if (const auto id = s.tokenizer->bos_id())
    generation.add("bos_token_id", Tree::of(std::int64_t{*id}));
  if (!stops.empty()) generation.add("eos_token_id", Tree::of(stops));
  write_file_atomically(files, join_path(folder, "generation_config.json"),
                        print_json(generation, 2) + "\n");
}

}  // namespace lathe::recipes::conversion
