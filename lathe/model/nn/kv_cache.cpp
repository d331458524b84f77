#include "lathe/model/nn/kv_cache.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/engine/graph/captured.h"

namespace lathe::nn {

KvCache::KvCache(const model::ModelConfig& config, kernels::KvType type, std::int64_t rows,
                 std::int64_t capacity)
    : type_(type),
      capacity_(capacity),
      first_(Tensor::empty({rows}, DType::i32)),
      last_(Tensor::empty({rows}, DType::i32)) {
  std::vector<std::int64_t> windows, layers;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const auto at = std::find(windows.begin(), windows.end(), config.window_of(i));
    const auto group = static_cast<std::size_t>(at - windows.begin());
    if (at == windows.end()) windows.push_back(config.window_of(i)), layers.push_back(0);
    places_.push_back({group, layers[group]++});
  }
  for (std::size_t g = 0; g < windows.size(); ++g)
    groups_.emplace_back(PageGroupShape{.layers = layers[g],
                                        .rows = rows,
                                        .capacity = capacity,
                                        .window = windows[g],
                                        .type = type,
                                        .kv_heads = config.kv_heads,
                                        .head_size = config.head_size});
}

std::int64_t KvCache::truncate(std::int64_t n) {
  if (n < 0 || n > length_)
    fail(ErrorCode::kInvalidArgument, "kv cache: expected to keep 0 to {} tokens, got {}", length_,
         n);
  const bool whole =
      std::all_of(groups_.begin(), groups_.end(), [&](const auto& g) { return g.reaches(n); });
  length_ = whole ? n : 0;
  for (PageGroup& g : groups_) g.truncate(length_);
  return length_;
}

void KvCache::rewind() {
  length_ = 0;
  for (PageGroup& g : groups_) g.truncate(0);
}

void KvCache::select_rows(std::span<const std::int32_t> selected) {
  for (PageGroup& g : groups_) g.select_rows(selected);
  if (const auto count = static_cast<std::int64_t>(selected.size()); count != rows()) {
    first_ = Tensor::empty({count}, DType::i32);
    last_ = Tensor::empty({count}, DType::i32);
  }
  for (Tensor* x : {&past_.ids, &past_.positions, &past_.document_start}) {
    if (!x->defined()) continue;
    std::vector<Tensor> moved;
    for (const std::int32_t row : selected) moved.push_back(ops::slice(*x, 0, row, row + 1));
    *x = ops::concat(moved, 0);
  }
}

std::int64_t KvCache::bytes() const {
  std::int64_t sum = 0;
  for (const PageGroup& g : groups_) sum += g.pages_in_use() * g.page_bytes();
  return sum;
}

void KvCache::open(std::int64_t batch, std::int64_t tokens) {
  if (batch != rows())
    fail(ErrorCode::kShapeMismatch, "kv cache: expected {} rows, got {}", rows(), batch);
  if (length_ + tokens > capacity_)
    fail(ErrorCode::kInvalidArgument, "kv cache: {} tokens do not fit behind {} of {}", tokens,
         length_, capacity_);
  for (PageGroup& g : groups_) g.open(length_, tokens);
  std::fill_n(first_.data<std::int32_t>(), rows(), static_cast<std::int32_t>(length_));
  std::fill_n(last_.data<std::int32_t>(), rows(), static_cast<std::int32_t>(length_ + tokens - 1));
}

std::uint64_t KvCache::memory() const {
  std::uint64_t all = graph::mixed(graph::memory_of(first_), graph::memory_of(last_));
  for (const PageGroup& g : groups_) {
    all = graph::mixed(all, graph::memory_of(g.pages(0)));
    all = graph::mixed(all, graph::memory_of(g.table()));
  }
  return all;
}

Tensor KvCache::attend(std::int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                       const Tensor& document_start, const ops::AttentionOptions& options) {
  const Place& place = places_[static_cast<std::size_t>(layer)];
  const PageGroup& group = groups_[place.group];
  ops::PagedCache cache{group.pages(place.layer), {group.table(), first_}, type_};
  ops::kv_write_(cache.pages, k, v, cache.rows, type_);
  LATHE_CHECK(q.dim(1) == k.dim(1) || q.dim(1) == 1);
  if (q.dim(1) != k.dim(1)) cache.rows.first = last_;
  return ops::attention_paged(q, cache, document_start, options);
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
