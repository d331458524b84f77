// A folder as Hugging Face transformers saves a model: config.json beside model.safetensors, or
// beside shards with model.safetensors.index.json, and files of the tokenizer and of generation.
#pragma once

#include <map>

#include "lathe/base/files.h"
#include "lathe/model/weights/safetensors.h"
#include "lathe/model/weights/weight_source.h"

namespace lathe::weights {

/// The weights of a folder, mapped.
class HfWeights : public WeightSource {
 public:
  /// A folder, or one .safetensors file. Throws NotFound where there are no weights (naming other
  /// formats that lie there), Corrupt for an index that names a missing file or tensor.
  static HfWeights open(const std::string& path, const FileSystem& files = real_files());

  std::vector<std::string> names() const override { return names_; }
  bool contains(const std::string& name) const override { return place_.contains(name); }
  StoredFacts facts(const std::string& name) const override;
  StoredTensor get(const std::string& name) const override;
  std::string file_of(const std::string& name) const override;

 private:
  const SafetensorsFile& holder(const std::string& name) const;
  void add(const std::string& path, SafetensorsFile file);
  void open_shards(const std::string& folder, const std::string& index, const FileSystem& files);

  std::string path_;
  std::vector<std::string> files_;
  std::vector<SafetensorsFile> opened_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> place_;  // index of files_
};

/// True where a folder holds config.json, as transformers writes it.
bool is_hf_folder(const FileSystem& files, const std::string& path);

struct ShardOptions {
  std::int64_t max_shard_bytes = std::int64_t{5} << 30;  // 0: one file
};

/// Writes model.safetensors, or shards and their index where the tensors do not fit one. Each shard
/// holds at least one tensor; none is cut. One tensor is in memory at a time. Throws Io.
void write_hf_weights(FileSystem& files, const std::string& folder,
                      const std::vector<TensorSource>& tensors, const ShardOptions& options = {});

/// Copies what belongs to a model and is neither weights nor config.json: tokenizer,
/// generation_config.json, chat templates, ... Returns their names.
std::vector<std::string> copy_hf_side_files(FileSystem& files, const std::string& from,
                                            const std::string& to);

}  // namespace lathe::weights
