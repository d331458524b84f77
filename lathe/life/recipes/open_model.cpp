#include "lathe/life/recipes/open_model.h"

#include <algorithm>

#include "lathe/base/toml.h"
#include "lathe/life/train/checkpoint.h"
#include "lathe/model/load.h"

namespace lathe::recipes {
namespace {

/// The recipe of a run; what was trained is what is served: the stored type, unless another one is
/// asked for.
std::string read_run(OpenedModel& opened, const FileSystem& files) {
  const std::string config = join_path(opened.checkpoint, "config.toml");
  read_toml_text(files.read_all(config), config, opened.config);
  return train::read_state(files, opened.checkpoint).compute;
}

/// Weights that others made: in bf16 where they are stored so (and the processor multiplies it),
/// else in f32, which loses nothing of f16; quantised ones are multiplied by themselves.
std::string stored_compute(const ModelFiles& found) {
  return weights::main_dtype(*found.weights) == DType::bf16 ? "auto" : "f32";
}

void set_borders(OpenedModel& opened, const ModelFiles& found) {
  const tokenize::Tokenizer& tokenizer = *opened.tokenizer;
  if (found.kind != ModelFiles::Kind::run) {
    const auto prefix = tokenizer.sequence_prefix();
    opened.prefix.assign(prefix.begin(), prefix.end());
  } else if (opened.config.data.bos) {
    opened.prefix = {*tokenizer.bos_id()};
  }
  opened.stop_ids = tokenizer.stop_ids();
  for (const std::int64_t id : found.eos) opened.stop_ids.push_back(static_cast<std::int32_t>(id));
  std::sort(opened.stop_ids.begin(), opened.stop_ids.end());
  opened.stop_ids.erase(std::unique(opened.stop_ids.begin(), opened.stop_ids.end()),
                        opened.stop_ids.end());
}

std::optional<kernels::KvType> cache_type(const std::string& text) {
  if (text == "auto") return {};
  for (const auto type : {kernels::KvType::f32, kernels::KvType::bf16, kernels::KvType::q8_0})
    if (text == kernels::name(type)) return type;
  fail(ErrorCode::kInvalidArgument, "cache type: expected auto, f32, bf16 or q8_0, got '{}'", text);
}

}  // namespace

OpenedModel open_model(const std::string& path, const OpenOptions& options,
                       const FileSystem& files) {
  const ModelFiles found = open_model_files(path, files);
  OpenedModel opened{.kind = found.kind, .checkpoint = found.path};
  const std::string stored =
      found.kind == ModelFiles::Kind::run ? read_run(opened, files) : stored_compute(found);
  static_cast<model::ModelConfig&>(opened.config.model) = found.config;
  const DType type = compute_type(options.compute == "auto" ? stored : options.compute);
  opened.model = model::open_for_inference(found.config, *found.weights, type);
  for (autograd::Parameter* p : opened.model->parameters()) p->set_exact(options.exact);
  opened.model->set_cache_type(cache_type(options.cache));
  opened.tokenizer = open_tokenizer(found, files);
  if (opened.tokenizer != nullptr) set_borders(opened, found);
  opened.chat_template = chat_template_of(found, files);
  return opened;
}

}  // namespace lathe::recipes
