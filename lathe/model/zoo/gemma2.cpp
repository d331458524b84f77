// Gemma 2: norms before and behind each branch, soft caps on scores and logits, a window in every
// second layer. Source: Gemma Team 2024 (arXiv 2408.00118).
#include <cmath>

#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_gemma2(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "gelu_tanh";
  if (!c.window_layers.empty()) return;
  for (std::int64_t i = 0; i < c.layers; ++i) c.window_layers.push_back(i % 2 == 0 ? 1 : 0);
}

std::unique_ptr<LanguageModel> make_gemma2(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.norm = nn::NormKind::rms_one_plus;
  a.mlp_bias = false;
  a.embedding_scale = std::sqrt(static_cast<double>(c.width));
  a.names.after_attention = "post_attention_layernorm";
  a.names.before_mlp = "pre_feedforward_layernorm";
  a.names.after_mlp = "post_feedforward_layernorm";
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
