#include "lathe/life/recipes/model_files.h"

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/model/gguf_config.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/weights/gguf_weights.h"
#include "lathe/model/weights/hf_folder.h"

namespace lathe::recipes {
namespace {

ModelFiles open_gguf(const std::string& path, const FileSystem& files) {
  ModelFiles out;
  out.kind = ModelFiles::Kind::gguf;
  out.path = path;
  auto file = weights::GgufFile::open(path, files);
  out.config = model::read_gguf_config(file);
  out.config.resolve();
  const weights::GgufWeights::Heads heads{out.config.heads, out.config.kv_heads};
  out.weights = std::make_unique<weights::GgufWeights>(std::move(file), heads);
  return out;
}

/// generation_config.json may name more ids that end a text than config.json does.
void read_generation_config(const std::string& path, const FileSystem& files, ModelFiles& out) {
  if (!files.exists(path)) return;
  const Tree tree = parse_json(files.read_all(path), path);
  const Tree* eos = tree.find("eos_token_id");
  if (eos == nullptr || eos->kind == Tree::Kind::null) return;
  out.eos.clear();
  if (eos->kind == Tree::Kind::integer) out.eos.push_back(eos->integer);
  for (const Tree& item : eos->items)
    if (item.kind == Tree::Kind::integer) out.eos.push_back(item.integer);
}

}  // namespace

bool is_model_files(const std::string& path, const FileSystem& files) {
  if (path.ends_with(".gguf") || path.ends_with(".safetensors")) return true;
  return weights::is_hf_folder(files, path);
}

ModelFiles open_model_files(const std::string& path, const FileSystem& files) {
  if (path.ends_with(".gguf")) return open_gguf(path, files);
  const std::string folder = path.ends_with(".safetensors") ? parent_path(path) : path;
  const std::string config = join_path(folder, "config.json");
  if (!files.exists(config))
    fail(ErrorCode::kNotFound, "{}: expected a config.json that describes the network, found none",
         folder);
  ModelFiles out;
  out.path = folder;
  const model::HfConfig read = model::read_hf_config(files.read_all(config), config);
  out.config = read.model;
  out.eos = read.eos;
  out.bos = read.bos;
  read_generation_config(join_path(folder, "generation_config.json"), files, out);
  out.weights = std::make_unique<weights::HfWeights>(weights::HfWeights::open(path, files));
  return out;
}

}  // namespace lathe::recipes
