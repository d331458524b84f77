#include "lathe/life/generate/cuts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lathe::generate {
namespace {

/// Logits are f32, so a sum of probabilities knows about six digits: a threshold that is missed by
/// less was reached.
constexpr double kRounding = 1e-6;

std::size_t at_least_one(std::int64_t keep) {
  return static_cast<std::size_t>(std::max<std::int64_t>(keep, 1));
}

}  // namespace

void cut_top_k(Candidates& c, std::int64_t k) {
  if (k > 0) c.keep_likeliest(std::min(c.items.size(), static_cast<std::size_t>(k)));
}

void cut_top_p(Candidates& c, double p, std::int64_t keep) {
  if (p >= 1) return;
  c.softmax();
  double seen = 0;
  std::size_t n = 0, sorted = 0;
  while (n < c.items.size()) {
    if (n == sorted) {  // the likeliest few are mostly enough
      sorted = std::max<std::size_t>(256, 8 * sorted);
      c.sort_first(sorted);
    }
    seen += c.items[n++].p;
    if (seen >= p * (1 - kRounding) && n >= at_least_one(keep)) break;
  }
  c.keep_likeliest(n);
}

void cut_min_p(Candidates& c, double p, std::int64_t keep) {
  if (p <= 0) return;
  const double least = c.items[c.likeliest()].logit + std::log(p);
  // A p above 1 leaves the likeliest.
  const auto stays = [&](const Candidate& x) { return x.logit >= least; };
  const auto n = static_cast<std::size_t>(std::count_if(c.items.begin(), c.items.end(), stays));
  if (n < at_least_one(keep)) {
    c.keep_likeliest(std::min(c.items.size(), at_least_one(keep)));
  } else {
    std::erase_if(c.items, [&](const Candidate& x) { return !stays(x); });
  }
}

void cut_typical(Candidates& c, double p, std::int64_t keep) {
  if (p >= 1) return;
  c.sort();
  c.softmax();
  const auto information = [](const Candidate& x) { return -std::log(x.p); };
  double entropy = 0;
  for (const Candidate& x : c.items)
    if (x.p > 0) entropy += x.p * information(x);
  std::vector<double> distance;
  distance.reserve(c.items.size());
  for (const Candidate& x : c.items) distance.push_back(std::abs(information(x) - entropy));
  std::vector<std::size_t> order(c.items.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return distance[a] < distance[b]; });
  double seen = 0;
  std::size_t n = 0;
  while (n < order.size()) {
    seen += c.items[order[n++]].p;
    if (seen > p && n >= at_least_one(keep)) break;
  }
  order.resize(n);
  std::sort(order.begin(), order.end());  // falling again
  for (std::size_t i = 0; i < n; ++i) c.items[i] = c.items[order[i]];
  c.items.resize(n);
}

void cut_top_n_sigma(Candidates& c, double n) {
  if (n <= 0 || c.items.size() <= 1) return;
  double sum = 0, squares = 0;
  for (const Candidate& x : c.items) sum += x.logit;
  const auto count = static_cast<double>(c.items.size());
  const double mean = sum / count;
  for (const Candidate& x : c.items) squares += (x.logit - mean) * (x.logit - mean);
  const double top = c.items[c.likeliest()].logit;
  const double least = top - n * std::sqrt(squares / count);
  std::erase_if(c.items, [&](const Candidate& x) { return x.logit < least && x.logit < top; });
}

void cut_xtc(Candidates& c, double threshold, std::int64_t keep) {
  if (c.items.size() < 2) return;
  c.softmax();
  const auto reaches = [&](const Candidate& x) { return x.p >= threshold; };
  const auto n = static_cast<std::size_t>(std::count_if(c.items.begin(), c.items.end(), reaches));
  if (n < 2) return;
  c.sort_first(n);
  const std::size_t gone = n - 1;
  if (c.items.size() - gone < at_least_one(keep)) return;
  c.items.erase(c.items.begin(), c.items.begin() + static_cast<std::ptrdiff_t>(gone));
}

}  // namespace lathe::generate
