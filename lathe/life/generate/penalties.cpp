#include "lathe/life/generate/penalties.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace lathe::generate {
namespace {

/// f32 overflows beyond exp(88.72); exponents of the DRY penalty stay under it.
constexpr double kLargestLog = 88.7228391;

using Tail = std::span<const std::int32_t>;

/// Where in the reversed text the nearest breaker ends: no repetition reaches beyond it.
std::int64_t reach(std::span<const std::int32_t> reversed,
                   const std::unordered_multimap<std::int32_t, Tail>& breakers) {
  const auto n = static_cast<std::int64_t>(reversed.size());
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t longest = -1;
    const auto [begin, end] = breakers.equal_range(reversed[static_cast<std::size_t>(i)]);
    for (auto at = begin; at != end; ++at) {
      const Tail tail = at->second;
      const auto length = static_cast<std::int64_t>(tail.size());
      if (length <= longest || length > i) continue;
      // The breaker's head is at i of the reversed text; its tail runs towards the text's end.
      const bool same = std::equal(tail.rbegin(), tail.rend(), reversed.begin() + (i - length));
      if (same) longest = length;
    }
    if (longest >= 0) return i - longest;
  }
  return n;
}

/// For each position i of the text, the length of the longest string that begins both at i and at
/// 0; [0] stays 0. Source: Gusfield 1997, "Algorithms on strings, trees and sequences", 1.4.
std::vector<std::int64_t> common_beginnings(std::span<const std::int32_t> text) {
  const std::size_t n = text.size();
  std::vector<std::int64_t> common(n, 0);
  std::size_t left = 0, right = 0;  // text[left, right) equals text[0, right - left)
  for (std::size_t i = 1; i < n; ++i) {
    std::size_t length =
        i < right ? std::min(right - i, static_cast<std::size_t>(common[i - left])) : 0;
    while (i + length < n && text[length] == text[i + length]) ++length;
    common[i] = static_cast<std::int64_t>(length);
    if (i + length > right) {
      left = i;
      right = i + length;
    }
  }
  return common;
}

}  // namespace

void penalise_repeats(Candidates& c, const History& history, const RepeatPenalty& penalty) {
  if (penalty.repeat == 1 && penalty.frequency == 0 && penalty.presence == 0) return;
  const auto apply = [&](Candidate& x, std::int64_t count) {
    const double logit = x.logit <= 0 ? x.logit * penalty.repeat : x.logit / penalty.repeat;
    x.logit = static_cast<float>(logit - static_cast<double>(count) * penalty.frequency -
                                 penalty.presence);
  };
  if (c.order == Candidates::Order::kById) {
    for (const auto& [id, count] : history.counts())
      if (Candidate* x = c.find(id)) apply(*x, count);
    return;
  }
  for (Candidate& x : c.items)
    if (const auto at = history.counts().find(x.id); at != history.counts().end())
      apply(x, at->second);
  c.order = Candidates::Order::kNone;
}

void penalise_continuations(Candidates& c, std::span<const std::int32_t> text,
                            const DryPenalty& penalty) {
  const auto n = static_cast<std::int64_t>(text.size());
  if (penalty.multiplier == 0 || penalty.base < 1 || n <= penalty.allowed_length) return;
  std::unordered_multimap<std::int32_t, Tail> breakers;
  for (const auto& b : penalty.breakers)
    if (!b.empty()) breakers.emplace(b.front(), Tail(b).subspan(1));
  const std::vector<std::int32_t> reversed(text.rbegin(), text.rend());
  const std::int64_t limit = reach(reversed, breakers);
  if (limit < penalty.allowed_length) return;

  const std::vector<std::int64_t> common = common_beginnings(reversed);
  std::unordered_map<std::int32_t, std::int64_t> longest;  // repetition that the id would continue
  for (std::size_t i = 1; i < reversed.size(); ++i) {
    const std::int64_t length = std::min(common[i], limit);
    if (length < penalty.allowed_length) continue;
    std::int64_t& known = longest[reversed[i - 1]];
    known = std::max(known, length);
  }
  const double most =
      penalty.base > 1.000001 ? std::floor(kLargestLog / std::log(penalty.base)) : 0;
  for (const auto& [id, length] : longest) {
    const auto [begin, end] = breakers.equal_range(id);
    if (std::any_of(begin, end, [](const auto& b) { return b.second.empty(); })) continue;
    Candidate* x = c.find(id);
    if (x == nullptr) continue;
    auto exponent = static_cast<double>(length - penalty.allowed_length);
    if (most > 0) exponent = std::min(exponent, most);
    x->logit -= static_cast<float>(penalty.multiplier * std::pow(penalty.base, exponent));
  }
  if (c.order == Candidates::Order::kFalling) c.order = Candidates::Order::kNone;
}

}  // namespace lathe::generate
