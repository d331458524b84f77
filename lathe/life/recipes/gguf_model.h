// A GGUF file as a model: network, weights, tokenizer, chat template.
#pragma once

#include <memory>
#include <string>

#include "lathe/model/model.h"
#include "lathe/model/weights/gguf_weights.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::recipes {

struct GgufModel {
  model::ModelConfig config;                       // resolved
  std::unique_ptr<weights::GgufWeights> weights;   // by Hugging Face names; weights->file() is all
  std::unique_ptr<tokenize::Tokenizer> tokenizer;  // null where the file has none
  std::string chat_template;                       // empty where the file has none
};

/// Whether the file begins as GGUF files do.
bool is_gguf(const FileSystem& files, const std::string& path);

/// Throws NotFound, Corrupt, Unsupported; nothing of the tensors is read.
GgufModel open_gguf(const std::string& path, const FileSystem& files = real_files());

}  // namespace lathe::recipes
