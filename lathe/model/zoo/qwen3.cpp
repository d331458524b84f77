// Qwen3: Llama with RMSNorm of each query and key head before they turn.
// Source: Yang et al. 2025 (arXiv 2505.09388).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_qwen3(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
}

std::unique_ptr<LanguageModel> make_qwen3(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.qk_norm = nn::QkNorm::head;
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
