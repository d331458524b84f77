// Self-attention of a decoder block, in all variants of nn/architecture.h.
#pragma once

#include "lathe/model/nn/architecture.h"
#include "lathe/model/nn/kv_cache.h"

namespace lathe::nn {

/// What a step of the network gives to the attention of one layer.
struct AttentionStep {
  const model::TokenBatch& batch;
  const ops::RopeTable& rope;  // without tables: no rotary positions
  KvCache* cache;              // null: none
  std::int64_t layer;
  bool last_only = false;  // results of the last token only
};

struct SelfAttention {
  std::optional<Linear> q, k, v, qkv;
  Linear o;
  std::optional<Norm> q_norm, k_norm;

  SelfAttention(const model::ModelConfig& c, const Architecture& a, std::int64_t layer);
  /// Shapes: x [B,T,C] -> [B,T,C], or [B,1,C] of the last token.
  Tensor operator()(const Tensor& x, const AttentionStep& step) const;
  void fields(ModuleVisitor& v);

 private:
  struct Heads {
    Tensor q, k, v;  // [B,T,H,D] or [B,1,H,D], [B,T,K,D] twice
  };
  Heads project(const Tensor& x, bool last_only) const;
  Tensor heads_of(const Tensor& y, const std::optional<Norm>& norm, std::int64_t heads) const;
  Tensor normalised(const Tensor& x, const std::optional<Norm>& norm) const;

  const Architecture* a_;
  std::int64_t heads_, kv_heads_, head_size_;
  ops::AttentionOptions options_;
};

}  // namespace lathe::nn
