// Phi-3: Llama with q, k and v in one matrix, gate and up in another; longrope in the long
// versions. Source: Abdin et al. 2024 (arXiv 2404.14219).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_phi3(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
}

std::unique_ptr<LanguageModel> make_phi3(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.qkv_bias = a.out_bias = a.mlp_bias = false;
  a.qkv = nn::QkvLayout::joined;
  a.gate_up = true;
  a.names.q = a.names.k = a.names.v = nullptr;
  a.names.qkv = "qkv_proj";
  a.names.gate = a.names.up = nullptr;
  a.names.gate_up = "gate_up_proj";
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
