// SmolLM3: Llama in which every fourth layer has no positions (NoPE).
// Source: Hugging Face 2025, "SmolLM3"; NoPE layers: Yang et al. 2025 (arXiv 2501.18795).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_smollm3(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
  if (!c.rope_layers.empty()) return;
  for (std::int64_t i = 0; i < c.layers; ++i) c.rope_layers.push_back((i + 1) % 4 != 0 ? 1 : 0);
}

std::unique_ptr<LanguageModel> make_smollm3(const ModelConfig& c) {
  return nn::make_decoder(c, nn::llama_like(c));
}

}  // namespace lathe::model
