#include "lathe/life/generate/choices.h"

#include <algorithm>
#include <cmath>

namespace lathe::generate {
namespace {

/// How many candidates keep the surprise under mu, if probabilities fall as in Zipf's law with the
/// exponent that the likeliest show.
std::int64_t zipf_count(const Candidates& c, const Mirostat& m) {
  constexpr std::size_t kFitted = 100;
  double products = 0, squares = 0;
  for (std::size_t i = 0; i + 1 < kFitted && i + 1 < c.items.size(); ++i) {
    if (c.items[i + 1].p <= 0) break;
    const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    const double b = std::log(c.items[i].p / c.items[i + 1].p);
    products += t * b;
    squares += t * t;
  }
  const double s = products / squares;
  const double e = s - 1;
  const double k =
      std::pow(e * std::exp2(m.mu) / (1 - std::pow(static_cast<double>(m.vocab), -e)), 1 / s);
  const auto all = static_cast<double>(c.items.size());
  if (std::isnan(k)) return static_cast<std::int64_t>(all);
  return static_cast<std::int64_t>(std::clamp(k, 1.0, all));
}

}  // namespace

std::size_t draw(const Candidates& c, double u) {
  for (std::size_t i = 0; i < c.items.size(); ++i) {
    u -= c.items[i].p;
    if (u < 0) return i;
  }
  // Rounding left a rest: it belongs to the last that can be drawn at all.
  std::size_t last = c.items.size() - 1;
  while (last > 0 && c.items[last].p <= 0) --last;
  return last;
}

Choice choose_mirostat(Candidates& c, const Mirostat& m, double u) {
  c.sort();
  c.softmax();
  std::size_t kept = c.items.size();
  if (m.version == 1 && c.items.size() > 1) {
    kept = static_cast<std::size_t>(zipf_count(c, m));
  } else if (m.version == 2) {
    const auto surprising = std::find_if(
        c.items.begin(), c.items.end(), [&](const Candidate& x) { return -std::log2(x.p) > m.mu; });
    kept = std::max<std::size_t>(1, static_cast<std::size_t>(surprising - c.items.begin()));
  }
  c.items.resize(kept);
  c.softmax();
  const Candidate& chosen = c.items[draw(c, u)];
  return {chosen.id, m.mu - m.eta * (-std::log2(chosen.p) - m.tau)};
}

Choice choose_adaptive(Candidates& c, double target, double mean, double u) {
  // Constants of llama.cpp: the width of the peak around the target, its logit, its steepness.
  constexpr double kWidth = 0.3, kPeak = 5, kSharpness = 10;
  c.softmax();
  std::vector<double> before;
  before.reserve(c.items.size());
  for (const Candidate& x : c.items) before.push_back(x.p);
  const double aim = std::clamp(2 * target - mean, 0.0, 1.0);
  for (Candidate& x : c.items) {
    const double distance = std::abs(x.p - aim) / kWidth;
    x.logit = static_cast<float>(kPeak - kSharpness * distance * distance / (1 + distance));
  }
  c.order = Candidates::Order::kNone;
  c.softmax();
  const std::size_t chosen = draw(c, u);
  return {c.items[chosen].id, before[chosen]};
}

}  // namespace lathe::generate
