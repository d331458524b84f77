// A model on disk, whatever its kind: network and weights under the names of Hugging Face. For a
// start of training and for inference; run folders have their own reader (life/train/checkpoint.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/model/model.h"
#include "lathe/model/weights/weight_source.h"

namespace lathe::recipes {

struct ModelFiles {
  enum class Kind { hf_folder, gguf } kind = Kind::hf_folder;
  std::string path;
  model::ModelConfig config;  // resolved
  std::unique_ptr<weights::WeightSource> weights;
  std::vector<std::int64_t>
      eos;  // ids that end a text, as config.json (generation_config.json) says
  std::optional<std::int64_t> bos;
};

/// True for a folder with config.json, a .safetensors file beside one, and a .gguf file.
bool is_model_files(const std::string& path, const FileSystem& files);

/// Maps the weights and reads the configuration. Throws NotFound, Corrupt, Unsupported.
ModelFiles open_model_files(const std::string& path, const FileSystem& files);

}  // namespace lathe::recipes
