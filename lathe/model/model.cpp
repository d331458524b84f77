#include "lathe/model/model.h"

#include <algorithm>

#include "lathe/base/cpu_memory.h"
#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::model {

void RopeScaling::fields(Fields& f) {
  f("kind", kind, "how frequencies are changed",
    one_of({"none", "linear", "dynamic", "yarn", "llama3", "longrope"}));
  f("factor", factor, "how many times longer than trained for; 0: context / original_context",
    in_range(0, 1e6));
  f("original_context", original_context, "tokens it was trained for; 0: model.context",
    in_range(0, 1 << 26));
  f("attention_factor", attention_factor, "of cosines and sines; 0: by the formula of the kind",
    in_range(0, 1e6));
  f("low_frequency_factor", low_frequency_factor,
    "llama3: waves longer than the original context "
    "over this are stretched in full",
    in_range(1e-6, 1e6));
  f("high_frequency_factor", high_frequency_factor,
    "llama3: waves shorter than the original context over this stay", in_range(1e-6, 1e6));
  f("beta_fast", beta_fast, "yarn: frequencies of at least so many turns stay",
    in_range(1e-6, 1e6));
  f("beta_slow", beta_slow, "yarn: frequencies of at most so many turns are stretched in full",
    in_range(1e-6, 1e6));
  f("mscale", mscale, "yarn: of the attention factor; 0: unused", in_range(0, 1e6));
  f("mscale_all_dim", mscale_all_dim,
    "yarn: the attention factor is divided by that of this; 0: "
    "unused",
    in_range(0, 1e6));
  f("truncate", truncate, "yarn: the borders of the ramp are whole numbers");
  f("short_factor", short_factor, "longrope: divisors of the frequencies up to original_context",
    in_range(1e-9, 1e9));
  f("long_factor", long_factor, "longrope: divisors beyond it", in_range(1e-9, 1e9));
}

void ModelConfig::fields(Fields& f) {
  f("kind", kind, "architecture, as Hugging Face names it", one_of(kinds()));
  f("vocab", vocab, "rows of the embedding; 0: as many as the tokenizer has ids",
    in_range(0, 1 << 22));
  f("context", context, "positions the model is made for, in tokens; 0: train.context",
    in_range(0, 1 << 26));
  f("layers", layers, "blocks", in_range(1, 1024));
  f("width", width, "size of the residual stream (hidden_size)", in_range(1, 1 << 16));
  f("heads", heads, "query heads", in_range(1, 1024));
  f("kv_heads", kv_heads, "key and value heads (grouped-query attention); 0: as many as heads",
    in_range(0, 1024));
  f("head_size", head_size, "size of a head; 0: width / heads", in_range(0, 1024));
  f("hidden", hidden,
    "width of the MLP; 0: 4 width (gpt2, gpt_neox), 8/3 width rounded up to 32 (others)",
    in_range(0, 1 << 20));
  f("tied", tied, "the output projection is the embedding");
  f("attention_bias", attention_bias,
    "biases in q, k, v and o (gpt2 always has them, qwen2 those of q, k and v)");
  f("mlp_bias", mlp_bias, "biases in the MLP (gpt2 and gpt_neox always have them)");
  f("activation", activation, "of the MLP; empty: as the kind does",
    one_of({"", "silu", "gelu", "gelu_tanh", "relu"}));
  f("rope_theta", rope_theta, "base of the rotary frequencies", in_range(1, 1e12));
  f("rope_fraction", rope_fraction, "part of each head that turns (gpt_neox: 0.25)",
    in_range(0.001, 1));
  f("rope_scaling", rope_scaling, "rotary frequencies for a longer context");
  f("rope_local_theta", rope_local_theta, "base in layers with a window; 0: as rope_theta",
    in_range(0, 1e12));
  f("rope_local_scaling", rope_local_scaling,
    "scaling in layers with a window, where "
    "rope_local_theta is set");
  f("rope_layers", rope_layers, "for each layer 1 if it has rotary positions, else 0; empty: all",
    in_range(0, 1));
  f("window", window, "keys that a query sees, itself included; 0: all", in_range(0, 1 << 26));
  f("window_layers", window_layers,
    "for each layer 1 if the window holds in it, else 0; empty: as the kind does", in_range(0, 1));
  f("query_scalar", query_scalar, "scores are divided by its square root; 0: head_size",
    in_range(0, 1e9));
  f("scale_by_layer", scale_by_layer, "gpt2: scores are also divided by the number of the layer");
  f("attention_cap", attention_cap, "scores become cap tanh(score / cap); 0: no cap",
    in_range(0, 1e6));
  f("logit_cap", logit_cap, "logits become cap tanh(logit / cap); 0: no cap", in_range(0, 1e6));
  f("parallel_residual", parallel_residual, "gpt_neox: attention and MLP read the same input");
  f("norm_eps", norm_eps, "added to the variance in norms", in_range(0, 1));
  f("init_std", init_std, "standard deviation of starting weights", in_range(0, 10));
}

namespace {

/// A list of one number a layer, or empty.
void check_layers(const char* key, const std::vector<std::int64_t>& list, std::int64_t layers) {
  if (!list.empty() && static_cast<std::int64_t>(list.size()) != layers)
    fail(ErrorCode::kInvalidArgument, "model.{}: expected {} numbers, one a layer, got {}", key,
         layers, list.size());
}

void check_scaling(const char* key, const RopeScaling& s, std::int64_t rotated) {
  if (!s.present()) return;
  if (s.kind != "longrope") {
    if (s.factor < 1)
      fail(ErrorCode::kInvalidArgument, "model.{}.factor: expected 1 or more, got {}", key,
           s.factor);
  } else {
    const std::int64_t pairs = (rotated + 1) / 2;
    for (const auto* list : {&s.short_factor, &s.long_factor})
      if (static_cast<std::int64_t>(list->size()) != pairs)
        fail(
            ErrorCode::kInvalidArgument,
            "model.{}: longrope needs {} short and {} long factors, one for each frequency, got {}",
            key, pairs, pairs, list->size());
  }
  if (s.kind == "llama3" && s.high_frequency_factor <= s.low_frequency_factor)
    fail(ErrorCode::kInvalidArgument,
         "model.{}: expected high_frequency_factor above low_frequency_factor, got {} and {}", key,
         s.high_frequency_factor, s.low_frequency_factor);
}

void complete_scaling(RopeScaling& s, std::int64_t context) {
  if (!s.present()) return;
  if (s.original_context == 0) s.original_context = context;
  if (s.factor == 0)
    s.factor = static_cast<double>(context) / static_cast<double>(s.original_context);
}

}  // namespace

std::int64_t ModelConfig::rotated() const {
  return static_cast<std::int64_t>(static_cast<double>(head_size) * rope_fraction);
}

bool ModelConfig::turns(std::int64_t layer) const {
  return rope_layers.empty() || rope_layers[static_cast<std::size_t>(layer)] != 0;
}

std::int64_t ModelConfig::window_of(std::int64_t layer) const {
  const bool holds = window_layers.empty() || window_layers[static_cast<std::size_t>(layer)] != 0;
  return holds ? window : 0;
}

void ModelConfig::resolve() {
  if (kv_heads == 0) kv_heads = heads;
  if (head_size == 0) {
    if (width % heads != 0)
      fail(ErrorCode::kInvalidArgument,
           "model.heads: expected a divisor of model.width = {}, got {}; or set model.head_size",
           width, heads);
    head_size = width / heads;
  }
  if (heads % kv_heads != 0)
    fail(ErrorCode::kInvalidArgument,
         "model.kv_heads: expected a divisor of model.heads = {}, got {}", heads, kv_heads);
  if (vocab < 1)
    fail(ErrorCode::kInvalidArgument, "model.vocab: expected 1 or more, got {}", vocab);
  if (context < 1)
    fail(ErrorCode::kInvalidArgument, "model.context: expected 1 or more, got {}", context);
  complete_kind(*this);
  if (query_scalar == 0) query_scalar = static_cast<double>(head_size);
  if (hidden == 0) hidden = (width * 8 / 3 + 31) / 32 * 32;
  complete_scaling(rope_scaling, context);
  complete_scaling(rope_local_scaling, context);
  check_layers("rope_layers", rope_layers, layers);
  check_layers("window_layers", window_layers, layers);
  check_scaling("rope_scaling", rope_scaling, rotated());
  check_scaling("rope_local_scaling", rope_local_scaling, rotated());
  if (kind != "gpt2" && (rotated() + rotated() % 2 > head_size || rotated() == 0))
    fail(ErrorCode::kInvalidArgument,
         "model.head_size: rotary positions turn pairs: {} elements do not fit a head of {}",
         rotated(), head_size);
}

TokenBatch TokenBatch::from(std::int64_t rows, std::int64_t width, const std::int32_t* ids,
                            const std::int32_t* positions, const std::int32_t* document_start) {
  const auto make = [&](const std::int32_t* data) {
    return Tensor::from(std::span<const std::int32_t>(data, static_cast<std::size_t>(rows * width)),
                        {rows, width});
  };
  return {make(ids), make(positions), make(document_start)};
}

TokenBatch TokenBatch::plain(const std::vector<std::vector<std::int32_t>>& rows,
                             std::int64_t first) {
  const std::size_t width = rows.empty() ? 0 : rows[0].size();
  std::vector<std::int32_t> ids, positions;
  for (const auto& row : rows) {
    if (row.size() != width)
      fail(ErrorCode::kShapeMismatch, "batch: rows of {} and {} tokens", width, row.size());
    ids.insert(ids.end(), row.begin(), row.end());
    for (std::size_t t = 0; t < width; ++t)
      positions.push_back(static_cast<std::int32_t>(first + static_cast<std::int64_t>(t)));
  }
  const std::vector<std::int32_t> starts(ids.size(), 0);
  return from(static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width), ids.data(),
              positions.data(), starts.data());
}

TokenBatch TokenBatch::meta(std::int64_t rows, std::int64_t width) {
  const auto make = [&] { return Tensor::empty({rows, width}, DType::i32, Device::meta); };
  return {make(), make(), make()};
}

Tensor LanguageModel::logits(const Tensor& hidden) {
  const Head h = head();
  const Tensor& weight = h.weight->value(h.use);
  const auto& q = h.weight->quantised();
  const Tensor y = q ? ops::linear_quantised(hidden, weight, q->type, {}, q->exact)
                     : ops::linear_coded(hidden, weight, h.weight->codes());
  const Tensor z = ops::cast(y, DType::f32);
  const double cap = config_.logit_cap;
  return cap > 0 ? ops::scale(ops::tanh(ops::scale(z, 1 / cap)), cap) : z;
}

void LanguageModel::expect_pass(std::int64_t tokens) {
  constexpr std::int64_t kLong = 64, kPassesBefore = 16;
  constexpr int kParts = 8;
  passes_ += tokens < kLong ? 1 : 8;
  if (passes_ > kPassesBefore) encode_weights(kParts);
}

void LanguageModel::encode_weights(int parts) {
  if (encoded_ == parameters_.size()) return;
  const autograd::Parameter* const head_weight = head().weight;
  const auto bytes_of = [&](const autograd::Parameter& p) -> std::int64_t {
    const bool product = p.role() == autograd::Role::matrix || &p == head_weight;
    return product && p.value().dtype() == DType::bf16 ? p.shape().count() * 3 / 2 : 0;
  };
  std::int64_t all = 0, left = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    all += bytes_of(*parameters_[i]);
    if (i >= encoded_) left += bytes_of(*parameters_[i]);
  }
  if (left == 0 || left > available_memory_bytes() / 2) encoded_ = parameters_.size();
  for (std::int64_t done = 0; encoded_ < parameters_.size() && done * parts < all; ++encoded_) {
    done += bytes_of(*parameters_[encoded_]);
    if (bytes_of(*parameters_[encoded_]) > 0) parameters_[encoded_]->encode();
  }
}

void LanguageModel::set_int8(bool int8) {
  for (autograd::Parameter* p : parameters_)
    if (p->role() == autograd::Role::matrix) p->set_int8(int8);
}

autograd::Parameter* LanguageModel::find(const std::string& name) const {
  for (autograd::Parameter* p : parameters_)
    if (p->name() == name) return p;
  return nullptr;
}

std::int64_t LanguageModel::parameter_count() const {
  std::int64_t n = 0;
  for (const autograd::Parameter* p : parameters_) n += p->shape().count();
  return n;
}

void initialise(LanguageModel& model, std::uint64_t seed) {
  for (autograd::Parameter* p : model.parameters()) p->initialise(seed);
}

}  // namespace lathe::model
