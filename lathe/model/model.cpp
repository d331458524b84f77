#include "lathe/model/model.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::model {

void ModelConfig::fields(Fields& f) {
  f("kind", kind, "architecture: gpt2 or llama", one_of(kinds()));
  f("vocab", vocab, "rows of the embedding; 0: as many as the tokenizer has ids",
    in_range(0, 1 << 22));
  f("context", context, "positions the model is made for, in tokens; 0: train.context",
    in_range(0, 1 << 22));
  f("layers", layers, "blocks", in_range(1, 1024));
  f("width", width, "size of the residual stream (hidden_size)", in_range(1, 1 << 16));
  f("heads", heads, "query heads", in_range(1, 1024));
  f("kv_heads", kv_heads, "key and value heads (grouped-query attention); 0: as many as heads",
    in_range(0, 1024));
  f("head_size", head_size, "size of a head; 0: width / heads", in_range(0, 1024));
  f("hidden", hidden, "width of the MLP; 0: 4 width (gpt2), 8/3 width rounded up to 32 (llama)",
    in_range(0, 1 << 20));
  f("tied", tied, "the output projection is the embedding");
  f("attention_bias", attention_bias, "biases in q, k, v and o (llama; gpt2 always has them)");
  f("mlp_bias", mlp_bias, "biases in the MLP (llama; gpt2 always has them)");
  f("rope_theta", rope_theta, "base of the rotary frequencies", in_range(1, 1e12));
  f("norm_eps", norm_eps, "added to the variance in norms", in_range(0, 1));
  f("init_std", init_std, "standard deviation of starting weights", in_range(0, 10));
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
  if (kind == "llama" && head_size % 2 != 0)
    fail(ErrorCode::kInvalidArgument,
         "model.head_size: rotary positions turn pairs, expected an even size, got {}", head_size);
  if (kind == "gpt2" && (kv_heads != heads || head_size * heads != width))
    fail(ErrorCode::kInvalidArgument,
         "model: gpt2 has one key head per query head and heads * head_size = width; got heads {}, "
         "kv_heads {}, head_size {}, width {}",
         heads, kv_heads, head_size, width);
  if (hidden == 0) hidden = kind == "gpt2" ? 4 * width : (width * 8 / 3 + 31) / 32 * 32;
  if (vocab < 1)
    fail(ErrorCode::kInvalidArgument, "model.vocab: expected 1 or more, got {}", vocab);
  if (context < 1)
    fail(ErrorCode::kInvalidArgument, "model.context: expected 1 or more, got {}", context);
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
  return ops::cast(ops::linear(hidden, h.weight->value(h.use)), DType::f32);
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
