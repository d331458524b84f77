// Rotary scalings as GGUF has them: some as keys, some as tensors of divisors.
#pragma once

#include "lathe/model/gguf_config.h"

namespace lathe::model {

/// The scaling that keys and tensors of the file describe; `config` has all else. Divisors that are
/// those of Llama 3 for some parameters become these parameters, others become longrope with equal
/// lists. Throws Corrupt, Unsupported.
RopeScaling read_gguf_rope_scaling(const weights::GgufFile& file, const ModelConfig& config);

/// Sets the keys of the scaling.
void write_gguf_rope_scaling(const ModelConfig& config, weights::GgufMetadata& metadata);

/// The parameters (factor, original_context, high_frequency_factor with low_frequency_factor 1) for
/// which Llama 3's rule gives these divisors; kind "none" where there are none. Source: the rule in
/// nn/rope.h: between its borders 1 / divisor is linear in the number of turns.
RopeScaling fit_llama3(const std::vector<float>& divisors, double theta);

}  // namespace lathe::model
