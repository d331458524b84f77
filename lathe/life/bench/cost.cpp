#include "lathe/life/bench/cost.h"

#include <algorithm>
#include <map>

namespace lathe::bench {
namespace {

std::string type_of(const autograd::Parameter& p) {
  if (p.quantised()) return std::string(kernels::name(p.quantised()->type));
  return std::string(name(p.value().dtype()));
}

/// Keys that tokens depth .. depth + width - 1 see, all together.
double pairs(std::int64_t width, std::int64_t depth, std::int64_t window) {
  double sum = 0;
  for (std::int64_t t = depth; t < depth + width; ++t)
    sum += static_cast<double>(window > 0 ? std::min(t + 1, window) : t + 1);
  return sum;
}

}  // namespace

Work operator+(const Work& a, const Work& b) {
  return {a.tokens + b.tokens, a.flops + b.flops, a.bytes + b.bytes};
}

Cost::Cost(model::LanguageModel& model) : config_(model.config()) {
  const autograd::Parameter* head = model.head().weight;
  std::map<std::string, double> bytes_of;
  bool int8 = false;
  double most = 0;
  for (const autograd::Parameter* p : model.parameters()) {
    const auto elements = static_cast<double>(p->shape().count());
    const Tensor& read = p->codes().defined() ? p->codes() : p->value();
    const auto bytes = static_cast<double>(read.bytes());
    if (p == head) {
      head_elements_ = elements, head_bytes_ = bytes;
    } else if (p->role() == autograd::Role::embedding) {
      continue;  // single rows
    } else {
      layer_bytes_ += bytes;
      if (p->role() != autograd::Role::vector) layer_elements_ += elements;
    }
    double& sum = bytes_of[type_of(*p)];
    sum += bytes;
    if (sum < most) continue;
    most = sum;
    weights_ = type_of(*p);
    int8 = p->quantised() && !p->quantised()->exact;
  }
  numbers_ = int8 ? "int8" : model.compute() == DType::bf16 ? "bf16" : "f32";
  kv_bytes_ = static_cast<double>(config_.layers * kernels::kv_page_bytes(model.cache_type(),
                                                                          config_.kv_heads,
                                                                          config_.head_size)) /
              static_cast<double>(kernels::kKvPage);
  cache_ = kernels::name(model.cache_type());
}

Work Cost::layers(std::int64_t batch, std::int64_t width, std::int64_t depth,
                  model::Wanted wanted) const {
  const bool last_only = wanted == model::Wanted::last;
  Work w{.tokens = static_cast<double>(batch * width)};
  w.flops = 2 * layer_elements_ * w.tokens;
  if (last_only) {
    const std::int64_t kv = 2 * config_.kv_heads * config_.head_size * config_.width;
    const double others =
        layer_elements_ / static_cast<double>(config_.layers) - static_cast<double>(kv);
    w.flops -= 2 * others * static_cast<double>(batch * (width - 1));
  }
  w.bytes = layer_bytes_ + kv_bytes_ * w.tokens;
  const double per_layer = kv_bytes_ / static_cast<double>(config_.layers);
  for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
    const std::int64_t window = config_.window_of(layer);
    const std::int64_t seen =
        window > 0 ? std::min(depth + width, window + width - 1) : depth + width;
    // scores and the weighted sum of values: two operations each for an element of a head
    const std::int64_t cut = last_only && layer + 1 == config_.layers ? width - 1 : 0;
    w.flops += 4.0 * static_cast<double>(config_.heads * config_.head_size * batch) *
               pairs(width - cut, depth + cut, window);
    w.bytes += per_layer * static_cast<double>(batch * seen);
  }
  return w;
}

Work Cost::head(std::int64_t rows) const {
  return {.flops = 2 * head_elements_ * static_cast<double>(rows), .bytes = head_bytes_};
}

}  // namespace lathe::bench
