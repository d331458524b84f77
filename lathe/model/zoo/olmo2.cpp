// OLMo 2: norms behind the branches, and RMSNorm over all query (key) heads at once.
// Source: OLMo et al. 2024 (arXiv 2501.00656).
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_olmo2(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "silu";
}

std::unique_ptr<LanguageModel> make_olmo2(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.qk_norm = nn::QkNorm::whole;
  a.names.before_attention = nullptr;
  a.names.after_attention = "post_attention_layernorm";
  a.names.before_mlp = nullptr;
  a.names.after_mlp = "post_feedforward_layernorm";
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
