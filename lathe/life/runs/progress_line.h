// One line of facts that fits into a given width: short forms and omissions by importance.
#pragma once

#include <string>
#include <vector>

namespace lathe::runs {

/// One fact. A fact of higher `weight` is kept longer.
struct Fact {
  std::string label;  // "loss"
  std::string value;  // "3.2143"
  std::string unit;   // " bits/byte", with its space
  int weight = 0;
  std::string short_label = {};  // used with short_unit where space is scarce
  std::string short_unit = {};
};

/// The facts in their order, two spaces apart. First the short forms are taken, then the lightest
/// facts go; what is left over becomes the bar, behind the first fact. Never wider than the width.
/// `share` is what the bar shows, 0 to 1; negative: no bar.
std::string fit_line(const std::vector<Fact>& facts, int width, double share = -1);

}  // namespace lathe::runs
