// MODEL of the command line, ready to speak.
#pragma once

#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/pretrain.h"

namespace lathe::recipes {

struct OpenedModel {
  ModelFiles::Kind kind = ModelFiles::Kind::run;
  std::unique_ptr<model::LanguageModel> model;
  std::unique_ptr<tokenize::Tokenizer> tokenizer;  // null where the model brings none
  PretrainConfig config;                           // of a run; of others only config.model
  std::string checkpoint;                          // the checkpoint, the folder, the file
  std::vector<std::int32_t> prefix;                // ids that stand before every text
  std::vector<std::int32_t> stop_ids;              // each ends a text or an answer
  std::string chat_template;                       // empty where the model brings none
};

struct OpenOptions {
  std::string compute = "auto";
  /// Multiply quantised weights by the f32 values that they stand for. Otherwise activations are
  /// quantised to int8, which is faster. No effect on other weights.
  bool exact = false;
  /// What keys and values of tokens are kept in: "f32", "bf16" or "q8_0"; "auto": the compute type,
  /// as in training.
  std::string cache = "auto";
};

/// Opens a run folder, a checkpoint, a Hugging Face folder or a GGUF file for inference. Compute
/// "auto": a run in the type that it was trained in; others in bf16 where their weights are bf16
/// and the processor multiplies it, else in f32. Throws NotFound, Corrupt or Unsupported.
OpenedModel open_model(const std::string& path, const OpenOptions& options,
                       const FileSystem& files);

}  // namespace lathe::recipes
