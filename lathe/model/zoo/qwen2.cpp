// Qwen2 and 2.5: Llama with biases in q, k and v; a window, where there is one, holds in the layers
// from some number on (window_layers). Source: Yang et al. 2024 (arXiv 2407.10671).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_qwen2(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
}

std::unique_ptr<LanguageModel> make_qwen2(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.qkv_bias = true;
  a.out_bias = a.mlp_bias = false;
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
