#include "lathe/life/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::optim {

void ScheduleConfig::fields(Fields& f) {
  f("kind", kind, "shape of the learning rate over the run",
    one_of({"constant", "cosine", "linear", "wsd"}));
  f("warmup_tokens", warmup_tokens, "tokens over which the learning rate rises from 0",
    in_range(0, 1e18));
  f("min_ratio", min_ratio, "share of the learning rate that is left at the end", in_range(0, 1));
  f("decay_fraction", decay_fraction, "wsd: share of all tokens spent on the final decay",
    in_range(0, 1));
  f("decay_shape", decay_shape, "wsd: shape of the final decay",
    one_of({"linear", "sqrt", "cosine"}));
}

namespace {

double cosine(double p) { return 0.5 * (1.0 + std::cos(std::numbers::pi * p)); }

/// How far x lies between begin and end, 0 to 1.
double progress(double x, double begin, double end) {
  return end > begin ? std::clamp((x - begin) / (end - begin), 0.0, 1.0) : 1.0;
}

double decayed(const ScheduleConfig& c, double p) {
  if (c.decay_shape == "sqrt") return 1.0 - std::sqrt(p);
  if (c.decay_shape == "cosine") return cosine(p);
  return 1.0 - p;
}

}  // namespace

double schedule_factor(const ScheduleConfig& c, std::int64_t tokens_before,
                       std::int64_t step_tokens, std::int64_t total_tokens) {
  const auto now = static_cast<double>(tokens_before), total = static_cast<double>(total_tokens);
  const auto warmup = static_cast<double>(c.warmup_tokens);
  const double rise =
      warmup > 0 ? std::min(1.0, (now + static_cast<double>(step_tokens)) / warmup) : 1.0;
  if (c.kind == "constant" || now < warmup) return rise;
  const double left = 1.0 - c.min_ratio;
  if (c.kind == "cosine") return rise * (c.min_ratio + left * cosine(progress(now, warmup, total)));
  if (c.kind == "linear") return rise * (1.0 - left * progress(now, warmup, total));
  const double begin = std::max(warmup, total * (1.0 - c.decay_fraction));
  if (now < begin) return rise;
  return rise * (c.min_ratio + left * decayed(c, progress(now, begin, total)));
}

}  // namespace lathe::optim
