#include "lathe/life/generate/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lathe/base/error.h"

namespace lathe::generate {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

[[noreturn]] void fail_without_numbers() {
  fail(ErrorCode::kInternal, "generate: every logit is NaN or -infinity; are the weights broken?");
}

}  // namespace

Candidates::Candidates(std::span<const float> logits, std::span<const LogitBias> bias) {
  items.resize(logits.size());
  bool sound = false;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    items[i] = {static_cast<std::int32_t>(i), logits[i], 0};
    sound = sound || logits[i] > kNever;  // false for NaN
  }
  if (!sound) fail_without_numbers();
  for (const LogitBias& b : bias)
    if (b.id >= 0 && static_cast<std::size_t>(b.id) < items.size())
      items[static_cast<std::size_t>(b.id)].logit += static_cast<float>(b.amount);
  std::erase_if(items, [](const Candidate& c) { return !(c.logit > kNever); });
  if (items.empty())
    fail(ErrorCode::kInvalidArgument, "generate: the logit bias forbids every token");
}

Candidates Candidates::likeliest_of(std::span<const float> logits, std::size_t k) {
  Candidates c;
  c.items.reserve(std::min(k, logits.size()));
  float least = kNever;  // of those kept, once there are k; later ids need more
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > least)) continue;
    if (c.items.size() == k) {
      std::pop_heap(c.items.begin(), c.items.end(), likelier);
      c.items.pop_back();
    }
    c.items.push_back({static_cast<std::int32_t>(i), logits[i], 0});
    std::push_heap(c.items.begin(), c.items.end(), likelier);
    if (c.items.size() == k) least = c.items.front().logit;
  }
  if (c.items.empty()) fail_without_numbers();
  std::sort_heap(c.items.begin(), c.items.end(), likelier);
  c.order = Order::kFalling;
  return c;
}

void Candidates::sort_first(std::size_t n) {
  if (order == Order::kFalling) return;
  n = std::min(n, items.size());
  const auto middle = items.begin() + static_cast<std::ptrdiff_t>(n);
  // A heap of n is quick while most candidates do not enter it; beyond, select and then sort.
  constexpr std::size_t kHeap = 256;
  if (n <= kHeap) {
    std::partial_sort(items.begin(), middle, items.end(), likelier);
  } else {
    if (n < items.size()) std::nth_element(items.begin(), middle, items.end(), likelier);
    std::sort(items.begin(), middle, likelier);
  }
  order = n == items.size() ? Order::kFalling : Order::kNone;
}

void Candidates::keep_likeliest(std::size_t k) {
  sort_first(k);
  if (k < items.size()) items.resize(k);
  order = Order::kFalling;
}

std::size_t Candidates::likeliest() const {
  if (order == Order::kFalling) return 0;
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i)
    if (likelier(items[i], items[best])) best = i;
  return best;
}

void Candidates::softmax() {
  const float top = items[likeliest()].logit;
  double total = 0;
  for (Candidate& c : items) {
    c.p = c.logit == top ? 1 : std::exp(static_cast<double>(c.logit) - top);
    total += c.p;
  }
  for (Candidate& c : items) c.p /= total;
}

Candidate* Candidates::find(std::int32_t id) {
  if (order == Order::kById) {
    const auto at = std::lower_bound(items.begin(), items.end(), id,
                                     [](const Candidate& c, std::int32_t i) { return c.id < i; });
    return at != items.end() && at->id == id ? &*at : nullptr;
  }
  for (Candidate& c : items)
    if (c.id == id) return &c;
  return nullptr;
}

}  // namespace lathe::generate
