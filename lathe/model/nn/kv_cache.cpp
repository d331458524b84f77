#include "lathe/model/nn/kv_cache.h"

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::nn {

KvCache::KvCache(std::int64_t layers, const Shape& layer_shape, DType dtype, Device device)
    : capacity_(layer_shape[1]) {
  for (std::int64_t i = 0; i < layers; ++i) {
    k_.push_back(Tensor::empty(layer_shape, dtype, device));
    v_.push_back(Tensor::empty(layer_shape, dtype, device));
  }
}

void KvCache::truncate(std::int64_t n) {
  if (n < 0 || n > length_)
    fail(ErrorCode::kInvalidArgument, "kv cache: expected to keep 0 to {} tokens, got {}", length_,
         n);
  length_ = n;
}

void KvCache::select_rows(std::span<const std::int32_t> rows, std::int64_t from) {
  if (from >= length_) return;
  const auto select = [&](Tensor& x) {
    if (!x.defined()) return;
    const Tensor part = ops::slice(x, 1, from, length_);
    std::vector<Tensor> moved;
    for (const std::int32_t row : rows) moved.push_back(ops::slice(part, 0, row, row + 1));
    ops::copy_(part, ops::concat(moved, 0));
  };
  for (Tensor& k : k_) select(k);
  for (Tensor& v : v_) select(v);
  select(past_.ids);
}

KvCache::Seen KvCache::extend(std::int64_t layer, const Tensor& k, const Tensor& v) {
  const std::int64_t end = length_ + k.dim(1);
  if (end > capacity_)
    fail(ErrorCode::kInvalidArgument, "kv cache: {} tokens do not fit behind {} of {}", k.dim(1),
         length_, capacity_);
  const auto i = static_cast<std::size_t>(layer);
  ops::copy_(ops::slice(k_[i], 1, length_, end), k);
  ops::copy_(ops::slice(v_[i], 1, length_, end), v);
  return {ops::slice(k_[i], 1, 0, end), ops::slice(v_[i], 1, 0, end)};
}

model::TokenBatch KvCache::remember(const model::TokenBatch& next) {
  const auto join = [&](const Tensor& before, const Tensor& behind) {
    if (length_ == 0 || !before.defined()) return behind;
    return ops::concat({ops::slice(before, 1, 0, length_), behind}, 1);
  };
  past_ = {join(past_.ids, next.ids), join(past_.positions, next.positions),
           join(past_.document_start, next.document_start)};
  return past_;
}

}  // namespace lathe::nn
