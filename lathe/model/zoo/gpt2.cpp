// GPT-2: LayerNorm before each branch, learned positions, GELU by tanh, biases everywhere.
// Source: Radford et al. 2019. Parameter names and the [in,out] weights of Conv1D as in Hugging
// Face transformers.
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/engine/autograd/tape.h"
#include "lathe/model/nn/kv_cache.h"
#include "lathe/model/nn/layers.h"
#include "lathe/model/zoo/zoo.h"

namespace lathe::model {
namespace {

using nn::Conv1d;
using nn::LayerNorm;
using nn::ModuleVisitor;

/// Residual projections start smaller by 1/sqrt(2 layers), as published.
double residual_std(const ModelConfig& c) {
  return c.init_std / std::sqrt(2.0 * static_cast<double>(c.layers));
}

struct SelfAttention {
  Conv1d c_attn, c_proj;
  std::int64_t heads, head_size;

  explicit SelfAttention(const ModelConfig& c)
      : c_attn(c.width, 3 * c.width, c.init_std),
        c_proj(c.width, c.width, residual_std(c)),
        heads(c.heads),
        head_size(c.head_size) {}

  Tensor operator()(const Tensor& x, const TokenBatch& batch, nn::KvCache* cache,
                    std::int64_t layer) const {
    const std::int64_t b = x.dim(0), t = x.dim(1), width = heads * head_size;
    const Tensor qkv = c_attn(x);  // [B,T,3C]
    const auto part = [&](std::int64_t i) {
      const Tensor columns = ops::slice(qkv, 2, i * width, (i + 1) * width);
      return ops::reshape(columns, {b, t, heads, head_size});  // [B,T,H,D]
    };
    const Tensor q = part(0);
    Tensor k = part(1), v = part(2);
    ops::AttentionOptions options{.scale = 1.0 / std::sqrt(static_cast<double>(head_size))};
    if (cache != nullptr) {
      options.query_offset = cache->length();
      const auto seen = cache->extend(layer, k, v);
      k = seen.k;
      v = seen.v;
    }
    const Tensor mixed = ops::attention(q, k, v, batch.document_start, options);
    return c_proj(ops::reshape(mixed, {b, t, width}));
  }
  void fields(ModuleVisitor& v) {
    v("c_attn", c_attn);
    v("c_proj", c_proj);
  }
};

struct Mlp {
  Conv1d c_fc, c_proj;

  explicit Mlp(const ModelConfig& c)
      : c_fc(c.width, c.hidden, c.init_std), c_proj(c.hidden, c.width, residual_std(c)) {}
  Tensor operator()(const Tensor& x) const { return c_proj(ops::gelu(c_fc(x), true)); }
  void fields(ModuleVisitor& v) {
    v("c_fc", c_fc);
    v("c_proj", c_proj);
  }
};

struct Block {
  LayerNorm ln_1, ln_2;
  SelfAttention attn;
  Mlp mlp;

  explicit Block(const ModelConfig& c)
      : ln_1(c.width, c.norm_eps), ln_2(c.width, c.norm_eps), attn(c), mlp(c) {}
  void fields(ModuleVisitor& v) {
    v("ln_1", ln_1);
    v("attn", attn);
    v("ln_2", ln_2);
    v("mlp", mlp);
  }
};

class Gpt2 : public LanguageModel {
 public:
  explicit Gpt2(const ModelConfig& c)
      : LanguageModel(c),
        wte_(c.vocab, c.width, c.init_std),
        wpe_(c.context, c.width, c.init_std),
        ln_f_(c.width, c.norm_eps) {
    for (std::int64_t i = 0; i < c.layers; ++i) h_.emplace_back(c);
    if (c.tied) {
      wte_.weight.add_use();
    } else {
      lm_head_.emplace(Shape{c.vocab, c.width}, nn::Role::head, nn::Init::normal(c.init_std));
    }
  }

  Tensor hidden(const TokenBatch& batch, ModelState* state) override {
    auto* cache = static_cast<nn::KvCache*>(state);
    const std::int64_t t = batch.ids.dim(1);
    if ((cache ? cache->length() : 0) + t > config_.context)
      fail(ErrorCode::kInvalidArgument, "gpt2: {} tokens do not fit its {} learned positions",
           (cache ? cache->length() : 0) + t, config_.context);
    Tensor x = ops::add(wte_(batch.ids), wpe_(batch.positions));  // f32 [B,T,C]
    for (std::size_t i = 0; i < h_.size(); ++i) {
      // By value: the backward pass may run it again (recompute).
      const auto run = [this, i, batch, cache](const Tensor& in) {
        const Block& block = h_[i];
        const Tensor h = ops::add(
            in, block.attn(block.ln_1(in, compute_), batch, cache, static_cast<std::int64_t>(i)));
        return ops::add(h, block.mlp(block.ln_2(h, compute_)));
      };
      x = recompute_ && cache == nullptr ? autograd::recompute(run, x) : run(x);
    }
    if (cache != nullptr) cache->advance(t);
    return ln_f_(x, compute_);
  }

  Head head() override {
    if (lm_head_) return {&*lm_head_, 0};
    return {&wte_.weight, 1};
  }

  std::unique_ptr<ModelState> make_state(std::int64_t rows, std::int64_t capacity) override {
    return std::make_unique<nn::KvCache>(config_.layers,
                                         Shape{rows, capacity, config_.kv_heads, config_.head_size},
                                         compute_, device_);
  }

 protected:
  void visit(const std::function<void(const std::string&, nn::Parameter&)>& visit) override {
    ModuleVisitor v(visit);
    v("transformer.wte", wte_);
    v("transformer.wpe", wpe_);
    v("transformer.h", h_);
    v("transformer.ln_f", ln_f_);
    v("lm_head.weight", lm_head_);
  }

 private:
  nn::Embedding wte_, wpe_;
  std::vector<Block> h_;
  LayerNorm ln_f_;
  std::optional<nn::Parameter> lm_head_;
};

}  // namespace

std::unique_ptr<LanguageModel> make_gpt2(const ModelConfig& config) {
  return std::make_unique<Gpt2>(config);
}

}  // namespace lathe::model
