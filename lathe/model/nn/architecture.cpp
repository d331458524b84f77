#include "lathe/model/nn/architecture.h"

namespace lathe::nn {

Architecture llama_like(const model::ModelConfig& config) {
  Architecture a;
  a.qkv_bias = a.out_bias = config.attention_bias;
  a.mlp_bias = config.mlp_bias;
  a.residual_std = config.init_std;
  return a;
}

}  // namespace lathe::nn
