#include "lathe/life/runs/axis.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace lathe::runs {
namespace {

// The round step closest to `raw` in proportion.
double round_step(double raw) {
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double best = 10 * power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    const double step = factor * power;
    if (std::abs(std::log(step / raw)) < std::abs(std::log(best / raw))) best = step;
  }
  return best;
}

// Decimals that a multiple of `step` needs, 0 to 12.
int decimals_of(double step) {
  for (int d = 0; d < 12; ++d) {
    const double scaled = step * std::pow(10, d);
    if (std::abs(scaled - std::round(scaled)) < 1e-6 * scaled) return d;
  }
  return 12;
}

std::string plain(double value, double step) {
  return fmt::format("{:.{}f}", value, decimals_of(step));
}

std::string count(double value, double step, double largest) {
  struct Unit {
    double size;
    const char* name;
  };
  if (value == 0) return "0";
  for (const Unit unit : {Unit{1e12, "T"}, Unit{1e9, "B"}, Unit{1e6, "M"}, Unit{1e3, "k"}}) {
    if (largest >= unit.size) return plain(value / unit.size, step / unit.size) + unit.name;
  }
  return plain(value, step);
}

std::string science(double value, double step) {
  if (value == 0) return "0";
  const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
  if (exponent >= -2 && exponent <= 4) return plain(value, step);
  const double power = std::pow(10, exponent);
  std::string digits = plain(value / power, step / power);
  while (digits.find('.') != digits.npos && (digits.back() == '0' || digits.back() == '.')) {
    digits.pop_back();
  }
  return fmt::format("{}e{}", digits, exponent);
}

}  // namespace

void Range::include(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

Range padded(Range range, double margin) {
  if (range.empty()) return {0, 1};
  // Values far apart would overflow the difference; values closer than rounding have no width.
  range.low = std::clamp(range.low, -1e200, 1e200);
  range.high = std::clamp(range.high, -1e200, 1e200);
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  const double width = range.high - range.low;
  if (width <= size * 1e-9) {
    const double half = size > 1e-200 ? size * 0.05 : 0.5;
    return {range.low - half, range.high + half};
  }
  return {range.low - margin * width, range.high + margin * width};
}

std::vector<Tick> ticks(Range range, int wanted, TickStyle style) {
  const double step = round_step((range.high - range.low) / std::max(wanted, 1));
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  std::vector<Tick> out;
  const double slack = step * 1e-6;
  for (double n = std::ceil((range.low - slack) / step); n * step <= range.high + slack; ++n) {
    const double value = std::abs(n) < 0.5 ? 0 : n * step;
    std::string label = style == TickStyle::kCount     ? count(value, step, largest)
                        : style == TickStyle::kScience ? science(value, step)
                                                       : plain(value, step);
    out.push_back({value, std::move(label)});
    if (out.size() > 50) break;  // cannot happen for a sane `wanted`
  }
  return out;
}

}  // namespace lathe::runs
