// GPT-2: LayerNorm before each branch, learned positions, GELU by tanh, biases everywhere, matrices
// stored as [in,out]. Source: Radford et al. 2019.
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/model/nn/architecture.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {

void complete_gpt2(ModelConfig& c) {
  if (c.activation.empty()) c.activation = "gelu_tanh";
  if (c.hidden == 0) c.hidden = 4 * c.width;
  if (c.kv_heads != c.heads || c.head_size * c.heads != c.width)
    fail(ErrorCode::kInvalidArgument,
         "model: gpt2 has one key head per query head and heads * head_size = width; got heads {}, "
         "kv_heads {}, head_size {}, width {}",
         c.heads, c.kv_heads, c.head_size, c.width);
}

std::unique_ptr<LanguageModel> make_gpt2(const ModelConfig& c) {
  nn::Architecture a;
  a.norm = nn::NormKind::layer;
  a.qkv = nn::QkvLayout::joined;
  a.gated = false;
  a.in_out = a.positions = a.norms_first = true;
  a.qkv_bias = a.out_bias = a.mlp_bias = true;
  // Projections to the residual stream start smaller by 1 / sqrt(2 layers), as published.
  a.residual_std = c.init_std / std::sqrt(2.0 * static_cast<double>(c.layers));
  a.names = {.embedding = "transformer.wte",
             .positions = "transformer.wpe",
             .layers = "transformer.h",
             .final_norm = "transformer.ln_f",
             .attention = "attn",
             .before_attention = "ln_1",
             .before_mlp = "ln_2",
             .q = nullptr,
             .k = nullptr,
             .v = nullptr,
             .qkv = "c_attn",
             .o = "c_proj",
             .gate = nullptr,
             .up = "c_fc",
             .down = "c_proj"};
  return nn::make_decoder(c, a);
}

}  // namespace lathe::model
