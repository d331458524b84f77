// config.json of Hugging Face transformers, both generations (4.x: rope_theta and rope_scaling at
// the top; 5.x: rope_parameters, per layer type for Gemma 3), to a ModelConfig and back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/model/model.h"

namespace lathe::model {

/// What a config.json says.
struct HfConfig {
  ModelConfig model;  // resolved
  std::optional<std::int64_t> bos, pad;
  std::vector<std::int64_t> eos;  // any of them ends a text
  std::string dtype;              // "bfloat16", ...; "" where it is not named
};

/// Keys that are absent take the value that transformers gives them for that model_type. `source`
/// stands in messages. Throws InvalidArgument naming the key, Unsupported for an architecture or a
/// setting that would compute something else, Corrupt where it is no JSON object.
HfConfig read_hf_config(const std::string& text, const std::string& source);

/// A config.json that both generations open, for a network of these weights' type ("float32",
/// "bfloat16", "float16").
std::string write_hf_config(const HfConfig& config);

}  // namespace lathe::model
