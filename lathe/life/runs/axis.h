// Axes of a plot: round tick values, their labels, and the map from values to pixels.
#pragma once

#include <string>
#include <vector>

namespace lathe::runs {

struct Range {
  double low, high;

  /// Widens to hold `value`; ignores NaN and infinities.
  void include(double value);
  bool empty() const { return !(low <= high); }

  static Range nothing() { return {1e300, -1e300}; }
};

/// A range of non-zero width around `range`, with `margin` x width added on both sides; [0, 1]
/// where there is nothing to show.
Range padded(Range range, double margin);

struct Tick {
  double value;
  std::string label;
};

enum class TickStyle {
  kPlain,    // 0.5, 12.25
  kCount,    // 0, 250k, 1.5M: one unit for the whole axis
  kScience,  // 0, 3e-4, 6e-4
};

/// Ticks at multiples of 1, 2, 2.5 or 5 times a power of ten inside the range, about `wanted` of
/// them; labels have the decimals that tell neighbours apart.
std::vector<Tick> ticks(Range range, int wanted, TickStyle style);

/// Linear map of a range onto pixels; `to_low` may be larger than `to_high` (upward y axes).
struct Scale {
  Range range;
  double to_low, to_high;

  double operator()(double value) const {
    return to_low + (value - range.low) / (range.high - range.low) * (to_high - to_low);
  }
};

}  // namespace lathe::runs
