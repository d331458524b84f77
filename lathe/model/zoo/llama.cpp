// Llama: RMSNorm before each branch, rotary positions, grouped-query attention, SwiGLU.
// Source: Touvron et al. 2023 (arXiv 2302.13971), Ainslie et al. 2023 (2305.13245). Parameter names
// as in Hugging Face transformers.
#include <cmath>

#include "lathe/engine/autograd/tape.h"
#include "lathe/model/nn/kv_cache.h"
#include "lathe/model/nn/layers.h"
#include "lathe/model/nn/rope_table.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {
namespace {

using nn::Linear;
using nn::ModuleVisitor;
using nn::RmsNorm;

struct SelfAttention {
  Linear q_proj, k_proj, v_proj, o_proj;
  std::int64_t heads, kv_heads, head_size;

  explicit SelfAttention(const ModelConfig& c)
      : q_proj(c.width, c.heads * c.head_size, c.attention_bias, c.init_std),
        k_proj(c.width, c.kv_heads * c.head_size, c.attention_bias, c.init_std),
        v_proj(c.width, c.kv_heads * c.head_size, c.attention_bias, c.init_std),
        o_proj(c.heads * c.head_size, c.width, c.attention_bias, c.init_std),
        heads(c.heads),
        kv_heads(c.kv_heads),
        head_size(c.head_size) {}

  Tensor operator()(const Tensor& x, const TokenBatch& batch, const ops::RopeTable& table,
                    nn::KvCache* cache, std::int64_t layer) const {
    const std::int64_t b = x.dim(0), t = x.dim(1);
    Tensor q = ops::reshape(q_proj(x), {b, t, heads, head_size});     // [B,T,H,D]
    Tensor k = ops::reshape(k_proj(x), {b, t, kv_heads, head_size});  // [B,T,K,D]
    Tensor v = ops::reshape(v_proj(x), {b, t, kv_heads, head_size});  // [B,T,K,D]
    q = ops::rope(q, table, batch.positions);
    k = ops::rope(k, table, batch.positions);
    ops::AttentionOptions options{.scale = 1.0 / std::sqrt(static_cast<double>(head_size))};
    if (cache != nullptr) {
      options.query_offset = cache->length();
      const auto seen = cache->extend(layer, k, v);
      k = seen.k;
      v = seen.v;
    }
    const Tensor mixed = ops::attention(q, k, v, batch.document_start, options);  // [B,T,H,D]
    return o_proj(ops::reshape(mixed, {b, t, heads * head_size}));
  }
  void fields(ModuleVisitor& v) {
    v("q_proj", q_proj);
    v("k_proj", k_proj);
    v("v_proj", v_proj);
    v("o_proj", o_proj);
  }
};

struct GatedMlp {
  Linear gate_proj, up_proj, down_proj;

  explicit GatedMlp(const ModelConfig& c)
      : gate_proj(c.width, c.hidden, c.mlp_bias, c.init_std),
        up_proj(c.width, c.hidden, c.mlp_bias, c.init_std),
        down_proj(c.hidden, c.width, c.mlp_bias, c.init_std) {}
  Tensor operator()(const Tensor& x) const {
    return down_proj(ops::swiglu(gate_proj(x), up_proj(x)));  // [B,T,C]
  }
  void fields(ModuleVisitor& v) {
    v("gate_proj", gate_proj);
    v("up_proj", up_proj);
    v("down_proj", down_proj);
  }
};

struct Block {
  SelfAttention self_attn;
  GatedMlp mlp;
  RmsNorm input_layernorm, post_attention_layernorm;

  explicit Block(const ModelConfig& c)
      : self_attn(c),
        mlp(c),
        input_layernorm(c.width, c.norm_eps),
        post_attention_layernorm(c.width, c.norm_eps) {}
  void fields(ModuleVisitor& v) {
    v("self_attn", self_attn);
    v("mlp", mlp);
    v("input_layernorm", input_layernorm);
    v("post_attention_layernorm", post_attention_layernorm);
  }
};

class Llama : public LanguageModel {
 public:
  explicit Llama(const ModelConfig& c)
      : LanguageModel(c),
        embed_tokens_(c.vocab, c.width, c.init_std),
        norm_(c.width, c.norm_eps),
        rope_(c.head_size, c.rope_theta) {
    for (std::int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(c);
    if (c.tied) {
      embed_tokens_.weight.add_use();
    } else {
      lm_head_.emplace(Shape{c.vocab, c.width}, nn::Role::head, nn::Init::normal(c.init_std));
    }
  }

  Tensor hidden(const TokenBatch& batch, ModelState* state) override {
    auto* cache = static_cast<nn::KvCache*>(state);
    const std::int64_t t = batch.ids.dim(1);
    const auto& table = rope_.upto((cache ? cache->length() : 0) + t, device_);
    Tensor x = embed_tokens_(batch.ids);  // f32 [B,T,C]
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      // By value: the backward pass may run it again (recompute).
      const auto run = [this, i, batch, table, cache](const Tensor& in) {
        const Block& block = layers_[i];
        const Tensor h = ops::add(in, block.self_attn(block.input_layernorm(in, compute_), batch,
                                                      table, cache, static_cast<std::int64_t>(i)));
        return ops::add(h, block.mlp(block.post_attention_layernorm(h, compute_)));
      };
      x = recompute_ && cache == nullptr ? autograd::recompute(run, x) : run(x);
    }
    if (cache != nullptr) cache->advance(t);
    return norm_(x, compute_);
  }

  Head head() override {
    if (lm_head_) return {&*lm_head_, 0};
    return {&embed_tokens_.weight, 1};
  }

  std::unique_ptr<ModelState> make_state(std::int64_t rows, std::int64_t capacity) override {
    return std::make_unique<nn::KvCache>(config_.layers,
                                         Shape{rows, capacity, config_.kv_heads, config_.head_size},
                                         compute_, device_);
  }

 protected:
  void visit(const std::function<void(const std::string&, nn::Parameter&)>& visit) override {
    ModuleVisitor v(visit);
    v("model.embed_tokens", embed_tokens_);
    v("model.layers", layers_);
    v("model.norm", norm_);
    v("lm_head.weight", lm_head_);
  }

 private:
  nn::Embedding embed_tokens_;
  std::vector<Block> layers_;
  RmsNorm norm_;
  std::optional<nn::Parameter> lm_head_;
  nn::RopeCache rope_;
};

}  // namespace

std::unique_ptr<LanguageModel> make_llama(const ModelConfig& config) {
  return std::make_unique<Llama>(config);
}

}  // namespace lathe::model
