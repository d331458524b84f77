// The network that a GGUF file describes, and the keys that describe a network.
// Source: llama.cpp, src/llama-arch.cpp (keys), src/models (defaults) and conversion/ (what writers
// put there).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lathe/model/model.h"
#include "lathe/model/weights/gguf.h"

namespace lathe::model {

/// The network. Files of ours also carry its configuration as a whole ("lathe.model"), which is
/// believed where it agrees with the keys that everybody reads. Throws Unsupported for an
/// architecture that we do not have; Corrupt naming the key that is missing or absurd.
ModelConfig read_gguf_config(const weights::GgufFile& file);

/// Sets the keys that describe the network, general.architecture among them. config is resolved.
void write_gguf_config(const ModelConfig& config, weights::GgufMetadata& metadata);

/// Divisors of rotary frequencies, which the format keeps as tensors: names and values.
std::vector<std::pair<std::string, std::vector<float>>> gguf_rope_tensors(
    const ModelConfig& config);

/// Parts of the network that the keys cannot say, for people: other programs will compute something
/// else from the file. Empty: none.
std::vector<std::string> beyond_gguf(const ModelConfig& config);

}  // namespace lathe::model
