// Gemma 3, text only: as Gemma 2 without caps, RMSNorm of each query and key head, five layers with
// a window and a small rotary base for each one without. Source: Gemma Team 2025 (arXiv
// 2503.19786).
#include <cmath>

#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_gemma3_text(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "gelu_tanh";
  if (c.rope_local_theta == 0) c.rope_local_theta = 10000;
  if (!c.window_layers.empty()) return;
  for (std::int64_t i = 0; i < c.layers; ++i) c.window_layers.push_back((i + 1) % 6 != 0 ? 1 : 0);
}

std::unique_ptr<LanguageModel> make_gemma3_text(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.norm = nn::NormKind::rms_one_plus;
  a.qk_norm = nn::QkNorm::head;
  a.mlp_bias = false;
  a.embedding_scale = std::sqrt(static_cast<double>(c.width));
  a.names.after_attention = "post_attention_layernorm";
  a.names.before_mlp = "pre_feedforward_layernorm";
  a.names.after_mlp = "post_feedforward_layernorm";
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
