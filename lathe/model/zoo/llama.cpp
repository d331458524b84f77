// Llama 1 to 3.2, and models of the same build (TinyLlama, SmolLM2).
// Source: Touvron et al. 2023 (arXiv 2302.13971); grouped queries: Ainslie et al. 2023
// (2305.13245).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_llama(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
}

std::unique_ptr<LanguageModel> make_llama(const ModelConfig& c) {
  return nn::make_decoder(c, nn::llama_like(c));
}

}  // namespace lathe::model
