// The decoder that all families share. One block, four places for norms; nn/architecture.h says
// which of them a family has.
#include "lathe/base/error.h"
#include "lathe/engine/autograd/tape.h"
#include "lathe/engine/graph/captured.h"
#include "lathe/model/nn/architecture.h"
#include "lathe/model/nn/attention.h"
#include "lathe/model/nn/mlp.h"
#include "lathe/model/nn/rope.h"

namespace lathe::nn {
namespace {

using model::LanguageModel;
using model::ModelConfig;
using model::ModelState;
using model::TokenBatch;
using model::Wanted;

struct Block {
  SelfAttention attention;
  Mlp mlp;
  std::optional<Norm> before_attention, after_attention, before_mlp, after_mlp;
  const Architecture* a;

  Block(const ModelConfig& c, const Architecture& arch, std::int64_t layer)
      : attention(c, arch, layer), mlp(c, arch), a(&arch) {
    const auto norm = [&](const char* name, std::optional<Norm>& to) {
      if (name != nullptr) to.emplace(c.width, arch.norm, c.norm_eps);
    };
    norm(arch.names.before_attention, before_attention);
    norm(arch.names.after_attention, after_attention);
    norm(arch.names.before_mlp, before_mlp);
    norm(arch.names.after_mlp, after_mlp);
  }

  /// Shapes: the f32 residual stream x [B,T,C] -> [B,T,C], or [B,1,C] where the step is of the last
  /// token only; branches are computed in `compute`.
  Tensor operator()(const Tensor& x, const AttentionStep& step, DType compute) const {
    const auto into = [&](const std::optional<Norm>& norm, const Tensor& y) {
      return norm ? (*norm)(y, compute) : ops::cast(y, compute);
    };
    const auto back = [](const std::optional<Norm>& norm, const Tensor& y) {
      return norm ? (*norm)(y, DType::f32) : y;
    };
    const Tensor mixed = back(after_attention, attention(into(before_attention, x), step));
    const Tensor before = step.last_only ? last_token(x) : x;
    const Tensor h = ops::add(before, mixed);
    const Tensor& read = a->parallel ? before : h;
    return ops::add(h, back(after_mlp, mlp(into(before_mlp, read))));
  }

  void fields(ModuleVisitor& v) {
    const DecoderNames& n = a->names;
    if (a->norms_first) v(n.before_attention, before_attention);
    v(n.attention, attention);
    if (a->norms_first) v(n.before_mlp, before_mlp);
    v(n.mlp, mlp);
    if (a->norms_first) return;
    v(n.before_attention, before_attention);
    v(n.after_attention, after_attention);
    v(n.before_mlp, before_mlp);
    v(n.after_mlp, after_mlp);
  }
};

class Decoder : public LanguageModel {
 public:
  Decoder(const ModelConfig& c, const Architecture& a)
      : LanguageModel(c),
        a_(a),
        embedding_(c.vocab, c.width, c.init_std),
        final_norm_(c.width, a.norm, c.norm_eps) {
    if (a_.positions) positions_.emplace(c.context, c.width, c.init_std);
    for (std::int64_t i = 0; i < c.layers; ++i) blocks_.emplace_back(c, a_, i);
    if (c.tied) {
      embedding_.weight.add_use();
    } else {
      head_.emplace(Shape{c.vocab, c.width}, Role::head, Init::normal(c.init_std));
    }
    rope_ = Rope({c.rotated(), c.rope_theta, c.rope_scaling, c.context});
    local_rope_ = Rope({c.rotated(), c.rope_local_theta, c.rope_local_scaling, c.context});
  }

  Tensor hidden(const TokenBatch& batch, ModelState* state, Wanted wanted) override {
    auto* cache = static_cast<KvCache*>(state);
    const std::int64_t before = cache != nullptr ? cache->length() : 0;
    const std::int64_t length = before + batch.ids.dim(1);
    if (a_.positions && length > config_.context)
      fail(ErrorCode::kInvalidArgument, "{}: {} tokens do not fit its {} learned positions",
           config_.kind, length, config_.context);
    if (cache == nullptr || !depends_on_length()) return run(batch, cache, length, wanted);
    const TokenBatch whole = cache->remember(batch);
    const int regime = 2 * rope_.regime(length) + local_rope_.regime(length);
    const bool same = before == 0 || cache->regime == regime;
    cache->regime = regime;
    if (same) return run(batch, cache, length, wanted);
    // Frequencies change with this step, so all keys so far are computed anew.
    cache->rewind();
    const Tensor h = run(whole, cache, length, wanted);
    return wanted == Wanted::last ? h : ops::contiguous(ops::slice(h, 1, before, length));
  }

  Tensor layers(const TokenBatch& batch, ModelState* state, Wanted wanted) override {
    auto* cache = static_cast<KvCache*>(state);
    const std::int64_t before = cache != nullptr ? cache->length() : 0;
    return layers(batch, cache, before + batch.ids.dim(1), wanted);
  }

  std::optional<std::uint64_t> step_key(const ModelState& state, std::int64_t tokens) override {
    const std::int64_t length = state.length() + tokens;
    if (depends_on_length() || (a_.positions && length > config_.context)) return {};
    std::uint64_t key = 0;
    for (Rope* rope : {&rope_, &local_rope_}) {
      if (a_.positions) continue;
      if (rope->changes_at(length)) return {};
      key = graph::mixed(key, graph::memory_of(rope->upto(length, device_).cos));
    }
    for (const autograd::Parameter* p : parameters_) {
      for (int use = 0; use < p->uses(); ++use)
        key = graph::mixed(key, graph::memory_of(p->value(use)));
      key = graph::mixed(key, graph::memory_of(p->codes()));
    }
    return key;
  }

  Head head() override {
    if (head_) return {&*head_, 0};
    return {&embedding_.weight, 1};
  }

  std::unique_ptr<ModelState> make_state(std::int64_t rows, std::int64_t capacity) override {
    return std::make_unique<KvCache>(config_, cache_type(), rows, capacity);
  }

 protected:
  void visit(const std::function<void(const std::string&, Parameter&)>& visit) override {
    ModuleVisitor v(visit);
    v(a_.names.embedding, embedding_);
    v(a_.names.positions, positions_);
    v(a_.names.layers, blocks_);
    v(a_.names.final_norm, final_norm_);
    v(a_.names.head, head_);
  }

 private:
  bool depends_on_length() const {
    return config_.rope_scaling.kind == "longrope" || config_.rope_local_scaling.kind == "longrope";
  }

  /// The table of a layer, or none.
  ops::RopeTable table_of(std::int64_t layer, std::int64_t length) {
    if (a_.positions || !config_.turns(layer)) return {};
    const bool local = config_.rope_local_theta > 0 && config_.window_of(layer) > 0;
    return (local ? local_rope_ : rope_).upto(length, device_);
  }

  Tensor embed(const TokenBatch& batch) const {
    Tensor x = embedding_(batch.ids);  // f32 [B,T,C]
    if (a_.positions) x = ops::add(x, (*positions_)(batch.positions));
    if (a_.embedding_scale == 1) return x;
    // The published models round the factor to the type that they compute in.
    const auto exact = static_cast<float>(a_.embedding_scale);
    const float factor = compute_ == DType::bf16 ? to_f32(to_bf16(exact)) : exact;
    return ops::scale(x, static_cast<double>(factor));
  }

  /// A pass over several tokens reads a block once and then not for long: weights that lie in a
  /// mapped file leave the process, which so needs memory for one block and the head. Taking them
  /// in again costs about 1% of a pass over 512 tokens; decoding keeps them.
  static void leave(Block& block) {
    ModuleVisitor v([](const std::string&, Parameter& p) { p.leave(); });
    block.fields(v);
  }

  Tensor run(const TokenBatch& batch, KvCache* cache, std::int64_t length, Wanted wanted) {
    if (cache != nullptr) cache->open(batch.ids.dim(0), batch.ids.dim(1));
    const Tensor h = layers(batch, cache, length, wanted);
    if (cache != nullptr) cache->advance(batch.ids.dim(1));
    return h;
  }

  /// For a text of `length` tokens, those of the batch included.
  Tensor layers(const TokenBatch& batch, KvCache* cache, std::int64_t length, Wanted wanted) {
    Tensor x = embed(batch);
    const bool last_only = wanted == Wanted::last && batch.ids.dim(1) > 1;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const auto layer = static_cast<std::int64_t>(i);
      // By value: the backward pass may run it again (recompute).
      const auto block = [this, i, layer, batch, table = table_of(layer, length), cache,
                          cut = last_only && i + 1 == blocks_.size()](const Tensor& in) {
        return blocks_[i](in, {batch, table, cache, layer, cut}, compute_);
      };
      x = recompute_ && cache == nullptr ? autograd::recompute(block, x) : block(x);
      if (batch.ids.dim(1) > 1) leave(blocks_[i]);
    }
    return final_norm_(x, compute_);
  }

  Architecture a_;
  Embedding embedding_;
  std::optional<Embedding> positions_;
  std::vector<Block> blocks_;
  Norm final_norm_;
  std::optional<Parameter> head_;
  Rope rope_, local_rope_;
};

}  // namespace

std::unique_ptr<LanguageModel> make_decoder(const ModelConfig& config,
                                            const Architecture& architecture) {
  return std::make_unique<Decoder>(config, architecture);
}

}  // namespace lathe::nn
