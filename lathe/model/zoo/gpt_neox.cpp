// GPT-NeoX (Pythia): LayerNorm, attention and MLP side by side, part of each head turns, q, k and v
// of each head in one matrix. Source: Black et al. 2022 (arXiv 2204.06745).
#include "lathe/base/error.h"
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_gpt_neox(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "gelu";
  if (c.hidden == 0) c.hidden = 4 * c.width;
  if (c.kv_heads != c.heads)
    fail(ErrorCode::kInvalidArgument,
         "model.kv_heads: gpt_neox has one key head per query head, expected {}, got {}", c.heads,
         c.kv_heads);
}

std::unique_ptr<LanguageModel> make_gpt_neox(const ModelConfig& c) {
  nn::Architecture a = nn::llama_like(c);
  a.norm = nn::NormKind::layer;
  a.qkv = nn::QkvLayout::by_head;
  a.gated = false;
  a.parallel = c.parallel_residual;
  a.mlp_bias = true;
  a.names = {.embedding = "gpt_neox.embed_in",
             .layers = "gpt_neox.layers",
             .final_norm = "gpt_neox.final_layer_norm",
             .head = "embed_out.weight",
             .attention = "attention",
             .q = nullptr,
             .k = nullptr,
             .v = nullptr,
             .qkv = "query_key_value",
             .o = "dense",
             .gate = nullptr,
             .up = "dense_h_to_4h",
             .down = "dense_4h_to_h"};
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
