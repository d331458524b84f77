// MODEL of the command line: weights, network and tokenizer.
#pragma once

#include "lathe/life/recipes/pretrain.h"

namespace lathe::recipes {

struct OpenedModel {
  std::unique_ptr<model::LanguageModel> model;
  std::unique_ptr<tokenize::Tokenizer> tokenizer;  // null where the checkpoint has none
  PretrainConfig config;
  std::string checkpoint;
};

/// Opens a run folder, a checkpoint, a Hugging Face folder or a GGUF file for inference, in the
/// type that it was trained in ("auto") or another one. Throws NotFound, Corrupt or Unsupported.
OpenedModel open_model(const std::string& path, const std::string& compute,
                       const FileSystem& files);

}  // namespace lathe::recipes
