#include "lathe/life/recipes/model_files.h"

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/toml.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/life/recipes/pretrain.h"
#include "lathe/life/train/checkpoint.h"
#include "lathe/model/gguf_config.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/weights/gguf_weights.h"
#include "lathe/model/weights/hf_folder.h"

namespace lathe::recipes {
namespace {

bool is_gguf(const std::string& path, const FileSystem& files) {
  if (path.ends_with(".gguf")) return true;
  if (!files.exists(path) || files.is_directory(path) || files.size(path) < 4) return false;
  return files.map(path).bytes().starts_with("GGUF");
}

const weights::GgufMetadata& metadata_of(const ModelFiles& model) {
  return dynamic_cast<const weights::GgufWeights&>(*model.weights).file().metadata();
}

/// Of a Hugging Face model, named by itself or by its weights.
std::string folder_of(const std::string& path) {
  return path.ends_with(".safetensors") ? parent_path(path) : path;
}

ModelFiles open_gguf(const std::string& path, const FileSystem& files) {
  ModelFiles out{.kind = ModelFiles::Kind::gguf, .path = path};
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

ModelFiles open_folder(const std::string& path, const FileSystem& files) {
  const std::string folder = folder_of(path);
  const std::string config = join_path(folder, "config.json");
  if (!files.exists(config))
    fail(ErrorCode::kNotFound, "{}: expected a config.json that describes the network, found none",
         folder);
  ModelFiles out{.kind = ModelFiles::Kind::hf_folder, .path = folder};
  const model::HfConfig read = model::read_hf_config(files.read_all(config), config);
  out.config = read.model;
  out.eos = read.eos;
  out.bos = read.bos;
  read_generation_config(join_path(folder, "generation_config.json"), files, out);
  out.weights = std::make_unique<weights::HfWeights>(weights::HfWeights::open(path, files));
  return out;
}

ModelFiles open_run(const std::string& path, const FileSystem& files) {
  ModelFiles out{.kind = ModelFiles::Kind::run, .path = train::resolve_checkpoint(files, path)};
  PretrainConfig config;
  const std::string toml = join_path(out.path, "config.toml");
  read_toml_text(files.read_all(toml), toml, config);
  out.config = config.model;
  out.config.resolve();
  const std::string weights = join_path(out.path, "weights.safetensors");
  out.weights = std::make_unique<weights::HfWeights>(weights::HfWeights::open(weights, files));
  return out;
}

std::string text_of(const Tree* value) {
  if (value == nullptr) return "";
  if (value->kind == Tree::Kind::string) return value->text;
  const Tree* content = value->find("content");  // an added token, spelt out
  return content != nullptr ? content->text : "";
}

/// What tokenizer_config.json says of the beginning and the end of a text.
void set_roles(tokenize::Tokenizer& tokenizer, const std::string& folder, const FileSystem& files) {
  using tokenize::Role;
  const std::string path = join_path(folder, "tokenizer_config.json");
  if (!files.exists(path)) return;
  const Tree config = parse_json(files.read_all(path), path);
  constexpr std::pair<const char*, Role> kKeys[] = {{"bos_token", Role::kBos},
                                                    {"eos_token", Role::kEos},
                                                    {"unk_token", Role::kUnknown},
                                                    {"pad_token", Role::kPadding}};
  for (const auto& [key, role] : kKeys)
    if (const std::string token = text_of(config.find(key)); !token.empty())
      if (const auto id = tokenizer.id_of(token)) tokenizer.set_role(role, id);
}

std::unique_ptr<tokenize::Tokenizer> tokenizer_of(const weights::GgufMetadata& metadata,
                                                  const std::string& path) {
  try {
    return gguf_tokenizer(metadata);
  } catch (Error& error) {
    error.within(path);
    throw;
  }
}

std::unique_ptr<tokenize::Tokenizer> tokenizer_beside(const std::string& folder,
                                                      ModelFiles::Kind kind,
                                                      const FileSystem& files) {
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    const std::string path = join_path(folder, name);
    if (!files.exists(path)) continue;
    auto tokenizer = tokenize::load_tokenizer(path);
    if (kind == ModelFiles::Kind::hf_folder) set_roles(*tokenizer, folder, files);
    return tokenizer;
  }
  return nullptr;
}

}  // namespace

bool is_model_files(const std::string& path, const FileSystem& files) {
  return path.ends_with(".safetensors") || is_gguf(path, files) ||
         weights::is_hf_folder(files, path);
}

ModelFiles open_model_files(const std::string& path, const FileSystem& files) {
  if (is_gguf(path, files)) return open_gguf(path, files);
  return is_model_files(path, files) ? open_folder(path, files) : open_run(path, files);
}

std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const ModelFiles& model,
                                                    const FileSystem& files) {
  if (model.kind == ModelFiles::Kind::gguf) return tokenizer_of(metadata_of(model), model.path);
  return tokenizer_beside(model.path, model.kind, files);
}

std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const std::string& path,
                                                    const FileSystem& files) {
  if (is_gguf(path, files))
    return tokenizer_of(weights::GgufFile::open(path, files).metadata(), path);
  if (!is_model_files(path, files))
    return tokenizer_beside(train::resolve_checkpoint(files, path), ModelFiles::Kind::run, files);
  return tokenizer_beside(folder_of(path), ModelFiles::Kind::hf_folder, files);
}

std::string chat_template_of(const ModelFiles& model, const FileSystem& files) {
  if (model.kind == ModelFiles::Kind::gguf)
    return metadata_of(model).text(kGgufChatTemplate).value_or("");
  const std::string jinja = join_path(model.path, "chat_template.jinja");
  if (files.exists(jinja)) return files.read_all(jinja);
  const std::string path = join_path(model.path, "tokenizer_config.json");
  if (!files.exists(path)) return "";
  const Tree config = parse_json(files.read_all(path), path);
  const Tree* found = config.find("chat_template");
  if (found == nullptr) return "";
  if (found->kind == Tree::Kind::string) return found->text;
  for (const Tree& item : found->items)  // several, each with a name
    if (text_of(item.find("name")) == "default") return text_of(item.find("template"));
  return "";
}

}  // namespace lathe::recipes
