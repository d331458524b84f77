// Mistral: Llama with a sliding window in all layers (7B v0.1) or without one.
// Source: Jiang et al. 2023 (arXiv 2310.06825).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_mistral(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
}

std::unique_ptr<LanguageModel> make_mistral(const ModelConfig& c) {
  return nn::make_decoder(c, nn::llama_like(c));
}

}  // namespace lathe::model
