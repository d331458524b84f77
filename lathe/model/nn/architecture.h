// What tells one family of decoders from another: where its norms stand, how its projections are
// stored and what its parameters are called. A network is (Architecture, ModelConfig); zoo/ has one
// file for each family.
#pragma once

#include "lathe/model/model.h"
#include "lathe/model/nn/layers.h"

namespace lathe::nn {

/// Queries and keys are normalised before they turn: each head for itself, or all heads at once.
enum class QkNorm { none, head, whole };

enum class QkvLayout {
  split,    // three matrices
  joined,   // one: rows of q, then k, then v
  by_head,  // one: for each head its q, k and v
};

/// The parts' names as Hugging Face transformers has them; null where there is no such part. So the
/// names say where norms stand: x' = x + N'(A(N x)) with N before and N' after a branch, or either.
struct DecoderNames {
  const char* embedding = "model.embed_tokens";
  const char* positions = nullptr;
  const char* layers = "model.layers";
  const char* final_norm = "model.norm";
  const char* head = "lm_head.weight";
  const char *attention = "self_attn", *mlp = "mlp";
  const char* before_attention = "input_layernorm";
  const char* after_attention = nullptr;
  const char* before_mlp = "post_attention_layernorm";
  const char* after_mlp = nullptr;
  const char *q = "q_proj", *k = "k_proj", *v = "v_proj", *qkv = nullptr, *o = "o_proj";
  const char *q_norm = "q_norm", *k_norm = "k_norm";
  const char *gate = "gate_proj", *up = "up_proj", *gate_up = nullptr, *down = "down_proj";
};

struct Architecture {
  NormKind norm = NormKind::rms;
  QkNorm qk_norm = QkNorm::none;
  QkvLayout qkv = QkvLayout::split;
  bool gated = true;         // MLP: W_down(f(W_gate x) * W_up x), else W_down f(W_up x)
  bool gate_up = false;      // W_gate and W_up are one matrix, gate first
  bool in_out = false;       // matrices are stored as [in,out]
  bool positions = false;    // learned, added to the embedding; else rotary
  bool parallel = false;     // attention and MLP read the same input
  bool norms_first = false;  // order of a block's parameters
  bool qkv_bias = false, out_bias = false, mlp_bias = false;
  double embedding_scale = 1;
  double residual_std = 0.02;  // starting weights of the projections back to the residual stream
  DecoderNames names;
};

/// What most families share: RMSNorm before each branch, rotary positions, separate q, k and v, a
/// gated MLP; biases and starting weights as config has them.
Architecture llama_like(const model::ModelConfig& config);

/// A network of that family. config is resolved.
std::unique_ptr<model::LanguageModel> make_decoder(const model::ModelConfig& config,
                                                   const Architecture& architecture);

}  // namespace lathe::nn
