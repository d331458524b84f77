#include "lathe/life/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lathe/base/error.h"

namespace lathe::generate {
namespace {

std::int32_t likeliest(std::span<const float> logits) {
  std::int64_t best = -1;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) continue;
    if (best < 0 || logits[i] > logits[static_cast<std::size_t>(best)])
      best = static_cast<std::int64_t>(i);
  }
  if (best < 0) fail(ErrorCode::kInternal, "generate: every logit is NaN; are the weights broken?");
  return static_cast<std::int32_t>(best);
}

}  // namespace

std::int32_t Sampler::pick(std::span<const float> logits, std::uint64_t index) const {
  const std::int32_t best = likeliest(logits);
  if (options_.temperature <= 0) return best;

  std::vector<std::int32_t> order;
  order.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (!std::isnan(logits[i])) order.push_back(static_cast<std::int32_t>(i));
  const auto likelier = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const std::size_t kept = options_.top_k > 0
                               ? std::min(order.size(), static_cast<std::size_t>(options_.top_k))
                               : order.size();
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    likelier);
  order.resize(kept);

  const double top = logits[static_cast<std::size_t>(best)];
  const auto weight = [&](std::int32_t id, double temperature) {
    return std::exp((logits[static_cast<std::size_t>(id)] - top) / temperature);
  };
  if (options_.top_p < 1) {  // measured before the temperature, as llama.cpp's chain does
    double total = 0, seen = 0;
    for (const std::int32_t id : order) total += weight(id, 1.0);
    std::size_t n = 0;
    while (n < order.size() && (n == 0 || seen < options_.top_p * total))
      seen += weight(order[n++], 1.0);
    order.resize(n);
  }
  double total = 0;
  for (const std::int32_t id : order) total += weight(id, options_.temperature);
  double left = stream_.uniform(index) * total;
  for (const std::int32_t id : order) {
    left -= weight(id, options_.temperature);
    if (left < 0) return id;
  }
  return order.back();
}

}  // namespace lathe::generate
