#include "lathe/model/weights/hf_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lathe/base/error.h"
#include "lathe/base/json.h"

namespace lathe::weights {
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

/// What else may lie in a folder in place of safetensors.
std::string other_formats(const FileSystem& files, const std::string& folder) {
  std::string found;
  for (const std::string& name : files.list(folder)) {
    const bool other = name.ends_with(".bin") || name.ends_with(".pth") || name.ends_with(".pt") ||
                       name.ends_with(".gguf") || name.ends_with(".h5");
    if (other) found += (found.empty() ? "" : ", ") + name;
  }
  return found;
}

/// The one .safetensors file of a folder that has it under another name; else "".
std::string lone_file(const FileSystem& files, const std::string& folder) {
  std::string found;
  for (const std::string& name : files.list(folder)) {
    if (!name.ends_with(".safetensors")) continue;
    if (!found.empty()) return "";
    found = name;
  }
  return found;
}

std::string shard_name(std::size_t i, std::size_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, count);
}

std::int64_t bytes_of(const TensorSource& t) {
  return t.shape.count() * static_cast<std::int64_t>(size_of(t.dtype));
}

}  // namespace

bool is_hf_folder(const FileSystem& files, const std::string& path) {
  return files.is_directory(path) && files.exists(join_path(path, "config.json"));
}

void HfWeights::add(const std::string& path, SafetensorsFile file) {
  files_.push_back(path);
  opened_.push_back(std::move(file));
}

HfWeights HfWeights::open(const std::string& path, const FileSystem& files) {
  HfWeights out;
  out.path_ = path;
  std::string single = path;
  if (files.is_directory(path)) {
    const std::string index = join_path(path, kIndex);
    single = join_path(path, kSingle);
    if (!files.exists(single)) {
      if (files.exists(index)) {
        out.open_shards(path, index, files);
        return out;
      }
      const std::string lone = lone_file(files, path);
      if (lone.empty()) {
        const std::string others = other_formats(files, path);
        fail(ErrorCode::kNotFound, "{}: expected {} or {}, found neither{}", path, kSingle, kIndex,
             others.empty() ? ""
                            : "; " + others +
                                  " cannot be opened as part of a folder: save the "
                                  "model as safetensors");
      }
      single = join_path(path, lone);
    }
  }
  out.add(single, SafetensorsFile::open(single, files));
  out.names_ = out.opened_[0].names();
  for (const std::string& name : out.names_) out.place_.emplace(name, 0);
  return out;
}

void HfWeights::open_shards(const std::string& folder, const std::string& index,
                            const FileSystem& files) {
  const Tree root = parse_json(files.read_all(index), index);
  const Tree* map = root.find("weight_map");
  if (map == nullptr || map->kind != Tree::Kind::table)
    fail(ErrorCode::kCorrupt, "{}: expected an object 'weight_map' of tensor names to files",
         index);
  std::map<std::string, std::size_t> shard_of;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    const Tree& value = map->items[i];
    if (value.kind != Tree::Kind::string || value.text.empty() ||
        value.text.find('/') != std::string::npos)
      fail(ErrorCode::kCorrupt, "{}: tensor '{}': expected the name of a file beside it, found {}",
           index, map->keys[i], describe(value));
    const auto [shard, fresh] = shard_of.try_emplace(value.text, files_.size());
    if (fresh) {
      const std::string path = join_path(folder, value.text);
      if (!files.exists(path))
        fail(ErrorCode::kNotFound, "{}: names the shard {}, which is not there", index, value.text);
      add(path, SafetensorsFile::open(path, files));
    }
    if (!opened_[shard->second].contains(map->keys[i]))
      fail(ErrorCode::kCorrupt, "{}: says that tensor '{}' lies in {}, which does not have it",
           index, map->keys[i], value.text);
    if (!place_.emplace(map->keys[i], shard->second).second)
      fail(ErrorCode::kCorrupt, "{}: has the tensor '{}' twice", index, map->keys[i]);
  }
  for (std::size_t i = 0; i < opened_.size(); ++i) {
    for (const std::string& name : opened_[i].names()) {
      const auto found = place_.find(name);
      if (found == place_.end())
        fail(ErrorCode::kCorrupt, "{}: does not name tensor '{}' of {}", index, name, files_[i]);
      if (found->second != i)
        fail(ErrorCode::kCorrupt, "{}: tensor '{}' lies in two shards, {} and {}", index, name,
             files_[found->second], files_[i]);
      names_.push_back(name);
    }
  }
}

const SafetensorsFile& HfWeights::holder(const std::string& name) const {
  const auto found = place_.find(name);
  if (found == place_.end()) fail(ErrorCode::kNotFound, "{}: has no tensor '{}'", path_, name);
  return opened_[found->second];
}

StoredFacts HfWeights::facts(const std::string& name) const { return holder(name).facts(name); }

StoredTensor HfWeights::get(const std::string& name) const {
  const Tensor tensor = holder(name).tensor(name);
  return {tensor, tensor.shape(), {}};
}

std::string HfWeights::file_of(const std::string& name) const {
  const auto found = place_.find(name);
  return found == place_.end() ? path_ : files_[found->second];
}

void write_hf_weights(FileSystem& files, const std::string& folder,
                      const std::vector<TensorSource>& tensors, const ShardOptions& options) {
  std::vector<std::vector<TensorSource>> shards(1);
  std::int64_t filled = 0, total = 0;
  for (const TensorSource& t : tensors) {
    const std::int64_t bytes = bytes_of(t);
    const bool full = options.max_shard_bytes > 0 && filled + bytes > options.max_shard_bytes;
    if (full && !shards.back().empty()) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(t);
    filled += bytes;
    total += bytes;
  }
  Tree map = Tree::table();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1 ? kSingle : shard_name(i, shards.size());
    const std::string path = join_path(folder, name);
    const auto writer = files.open_for_write(path);
    write_safetensors(*writer, path, shards[i], {{"format", "pt"}});
    writer->sync();
    writer->close();
    for (const TensorSource& t : shards[i]) map.add(t.name, Tree::of(name));
  }
  if (shards.size() == 1) return;
  Tree metadata = Tree::table(), root = Tree::table();
  metadata.add("total_size", Tree::of(total));
  root.add("metadata", std::move(metadata));
  root.add("weight_map", std::move(map));
  write_file_atomically(files, join_path(folder, kIndex), print_json(root, 2) + "\n");
}

std::vector<std::string> copy_hf_side_files(FileSystem& files, const std::string& from,
                                            const std::string& to) {
  const std::set<std::string> known = {"generation_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "tokenizer.model",
                                       "vocab.json",
                                       "merges.txt",
                                       "vocab.txt",
                                       "added_tokens.json",
                                       "special_tokens_map.json",
                                       "chat_template.jinja",
                                       "chat_template.json"};
  std::vector<std::string> copied;
  for (const std::string& name : files.list(from)) {
    if (!known.contains(name)) continue;
    write_file_atomically(files, join_path(to, name), files.read_all(join_path(from, name)));
    copied.push_back(name);
  }
  return copied;
}

}  // namespace lathe::weights
