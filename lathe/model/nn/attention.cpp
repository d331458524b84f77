#include "lathe/model/nn/attention.h"

#include <cmath>

namespace lathe::nn {

SelfAttention::SelfAttention(const model::ModelConfig& c, const Architecture& a, std::int64_t layer)
    : o(c.heads * c.head_size, c.width,
        {.bias = a.out_bias, .std = a.residual_std, .in_out = a.in_out}),
      a_(&a),
      heads_(c.heads),
      kv_heads_(c.kv_heads),
      head_size_(c.head_size),
      options_{.scale = 1.0 / std::sqrt(c.query_scalar),
               .soft_cap = c.attention_cap,
               .window = c.window_of(layer)} {
  if (c.scale_by_layer) options_.scale /= static_cast<double>(layer + 1);
  const std::int64_t q_rows = c.heads * c.head_size, kv_rows = c.kv_heads * c.head_size;
  const Linear::Options in{.bias = a.qkv_bias, .std = c.init_std, .in_out = a.in_out};
  if (a.qkv == QkvLayout::split) {
    q.emplace(c.width, q_rows, in);
    k.emplace(c.width, kv_rows, in);
    v.emplace(c.width, kv_rows, in);
  } else {
    qkv.emplace(c.width, q_rows + 2 * kv_rows, in);
  }
  if (a.qk_norm == QkNorm::none) return;
  const bool whole = a.qk_norm == QkNorm::whole;
  q_norm.emplace(whole ? q_rows : c.head_size, a.norm, c.norm_eps);
  k_norm.emplace(whole ? kv_rows : c.head_size, a.norm, c.norm_eps);
}

Tensor SelfAttention::normalised(const Tensor& x, const std::optional<Norm>& norm) const {
  return norm ? (*norm)(x, x.dtype()) : x;
}

Tensor SelfAttention::heads_of(const Tensor& y, const std::optional<Norm>& norm,
                               std::int64_t heads) const {
  const Shape split{y.dim(0), y.dim(1), heads, head_size_};
  if (a_->qk_norm == QkNorm::whole) return ops::reshape(normalised(y, norm), split);
  return normalised(ops::reshape(y, split), norm);
}

SelfAttention::Heads SelfAttention::project(const Tensor& x, bool last_only) const {
  if (!qkv && last_only) {
    const ops::Outputs y = apply_all(x, {&*k, &*v});
    return {heads_of((*q)(last_token(x)), q_norm, heads_), heads_of(y[0], k_norm, kv_heads_),
            heads_of(y[1], {}, kv_heads_)};
  }
  if (!qkv) {
    const ops::Outputs y = apply_all(x, {&*q, &*k, &*v});
    return {heads_of(y[0], q_norm, heads_), heads_of(y[1], k_norm, kv_heads_),
            heads_of(y[2], {}, kv_heads_)};
  }
  const std::int64_t b = x.dim(0), t = x.dim(1), d = head_size_;
  if (a_->qkv == QkvLayout::by_head) {
    const Tensor y = ops::reshape((*qkv)(x), {b, t, heads_, 3 * d});
    const auto part = [&](std::int64_t i) { return ops::slice(y, 3, i * d, (i + 1) * d); };
    return {last_only ? last_token(part(0)) : part(0), part(1), part(2)};
  }
  const Tensor y = ops::reshape((*qkv)(x), {b, t, heads_ + 2 * kv_heads_, d});
  const std::int64_t k_end = heads_ + kv_heads_;
  const Tensor all_q = ops::slice(y, 2, 0, heads_);
  return {last_only ? last_token(all_q) : all_q, ops::slice(y, 2, heads_, k_end),
          ops::slice(y, 2, k_end, k_end + kv_heads_)};
}

Tensor SelfAttention::operator()(const Tensor& x, const AttentionStep& step) const {
  Heads h = project(x, step.last_only);
  const auto of_queries = [&](const Tensor& t) { return step.last_only ? last_token(t) : t; };
  if (step.rope.cos.defined()) {
    h.q = ops::rope(h.q, step.rope, of_queries(step.batch.positions));
    h.k = ops::rope(h.k, step.rope, step.batch.positions);
  }
  const Tensor start = of_queries(step.batch.document_start);
  ops::AttentionOptions options = options_;
  if (step.last_only) options.query_offset = x.dim(1) - 1;  // without a cache, which knows it
  const Tensor mixed = step.cache != nullptr
                           ? step.cache->attend(step.layer, h.q, h.k, h.v, start, options)
                           : ops::attention(h.q, h.k, h.v, start, options);
  return o(ops::reshape(mixed, {x.dim(0), mixed.dim(1), heads_ * head_size_}));
}

void SelfAttention::fields(ModuleVisitor& visit) {
  const DecoderNames& n = a_->names;
  visit(n.q, q);
  visit(n.k, k);
  visit(n.v, v);
  visit(n.qkv, qkv);
  visit(n.o, o);
  visit(n.q_norm, q_norm);
  visit(n.k_norm, k_norm);
}

}  // namespace lathe::nn
