#include "lathe/life/recipes/open_model.h"

#include "lathe/base/toml.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/train/checkpoint.h"
#include "lathe/model/load.h"

namespace lathe::recipes {
namespace {

/// Files that others made. "auto" computes in f32 where the weights are f32 or quantised, else in
/// what this processor multiplies best; bf16 weights stay as they are either way.
OpenedModel open_files(const std::string& path, const std::string& compute,
                       const FileSystem& files) {
  OpenedModel opened;
  const ModelFiles found = open_model_files(path, files);
  opened.checkpoint = found.path;
  static_cast<model::ModelConfig&>(opened.config.model) = found.config;
  const bool half = model::stored_type(*found.weights) == DType::bf16 &&
                    found.kind == ModelFiles::Kind::hf_folder;
  const DType type = compute_type(compute == "auto" && !half ? "f32" : compute);
  opened.model = model::open_for_inference(found.config, *found.weights, type);
  const std::string tokenizer = join_path(found.path, "tokenizer.json");
  if (found.kind == ModelFiles::Kind::hf_folder && files.exists(tokenizer))
    opened.tokenizer = tokenize::load_tokenizer(tokenizer);
  return opened;
}

}  // namespace

OpenedModel open_model(const std::string& path, const std::string& compute,
                       const FileSystem& files) {
  if (is_model_files(path, files)) return open_files(path, compute, files);
  OpenedModel opened;
  opened.checkpoint = train::resolve_checkpoint(files, path);
  const std::string config = join_path(opened.checkpoint, "config.toml");
  read_toml_text(files.read_all(config), config, opened.config);
  const train::LoopState state = train::read_state(files, opened.checkpoint);
  // What was trained is what is served: the stored type, unless another one is asked for.
  const DType type = compute_type(compute == "auto" ? state.compute : compute);
  opened.model = model::build(opened.config.model, type);
  train::load_weights(files, opened.checkpoint, *opened.model);
  const std::string tokenizer = join_path(opened.checkpoint, "tokenizer.json");
  if (files.exists(tokenizer)) opened.tokenizer = tokenize::load_tokenizer(tokenizer);
  return opened;
}

}  // namespace lathe::recipes
