// What a model on disk holds, without reading its tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/base/tree.h"
#include "lathe/model/model.h"

namespace lathe::recipes {

struct InspectedTensor {
  std::string name, type;
  std::vector<std::int64_t> shape;  // row-major
  std::int64_t bytes = 0;
};

struct InspectedKey {
  std::string key, type, value;  // value: shortened for people
};

struct Inspection {
  std::string path, container;  // "GGUF version 3", "Hugging Face folder", "run folder"
  model::ModelConfig config;
  std::vector<InspectedTensor> tensors;
  std::vector<InspectedKey> metadata;  // of GGUF
  std::int64_t parameters = 0;         // elements of all tensors
  std::int64_t weight_bytes = 0;
  std::int64_t cache_bytes_per_token = 0;  // keys and values in f32

  std::optional<std::int64_t> vocabulary, bos, eos;  // of the tokenizer
  std::vector<std::int64_t> stops;
  std::string tokenizer;      // what it is, or why there is none
  std::string chat_template;  // empty: none

  /// Everything, for --json.
  Tree to_tree() const;
};

/// Throws NotFound, Corrupt, Unsupported.
Inspection inspect(const std::string& path, const FileSystem& files = real_files());

}  // namespace lathe::recipes
