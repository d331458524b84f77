// A model on disk, whatever its kind: network, weights under the names of Hugging Face, tokenizer,
// chat template. For inference, for a start of training, for conversion.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/model/model.h"
#include "lathe/model/weights/weight_source.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::recipes {

struct ModelFiles {
  enum class Kind { run, hf_folder, gguf } kind = Kind::run;
  std::string path;           // the checkpoint, the folder, the file
  model::ModelConfig config;  // resolved
  std::unique_ptr<weights::WeightSource> weights;
  std::vector<std::int64_t>
      eos;  // ids that end a text, as config.json (generation_config.json) says
  std::optional<std::int64_t> bos;
};

/// True for a folder with config.json, a .safetensors file beside one, and a GGUF file.
bool is_model_files(const std::string& path, const FileSystem& files);

/// Maps the weights and reads the configuration: a run folder, a checkpoint of one, a Hugging Face
/// folder, a .safetensors file in one, a GGUF file. Throws NotFound, Corrupt, Unsupported.
ModelFiles open_model_files(const std::string& path, const FileSystem& files);

/// The tokenizer that lies with the model, its roles set as the files say; null where there is
/// none. Throws Corrupt, Unsupported.
std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const ModelFiles& model,
                                                    const FileSystem& files);

/// The same without opening the network: also of a GGUF file that holds a vocabulary and no
/// weights, or a network that we do not have.
std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const std::string& path,
                                                    const FileSystem& files);

/// Jinja; empty where the model brings none.
std::string chat_template_of(const ModelFiles& model, const FileSystem& files);

}  // namespace lathe::recipes
