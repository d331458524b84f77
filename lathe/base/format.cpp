#include "lathe/base/format.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <string_view>

namespace lathe {
namespace {

/// `value` over the largest power of 1000 that keeps it at least 1, with three digits.
std::string scaled(double value, const std::array<std::string_view, 6>& units) {
  if (std::isnan(value)) return "?";
  const std::string_view sign = value < 0 ? "-" : "";
  value = std::abs(value);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0 || value >= 99.95) return fmt::format("{}{:.0f}{}", sign, value, units[unit]);
  return fmt::format("{}{:.{}f}{}", sign, value, value >= 9.995 ? 1 : 2, units[unit]);
}

}  // namespace

std::string human_bytes(double bytes) {
  return scaled(bytes, {" B", " kB", " MB", " GB", " TB", " PB"});
}

std::string human_count(double count) { return scaled(count, {"", "k", "M", "B", "T", "Q"}); }

std::string human_duration(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) return "?";
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const double rounded = std::round(seconds);
  if (rounded < 3600) {
    const int s = static_cast<int>(rounded);
    return fmt::format("{} min {:02} s", s / 60, s % 60);
  }
  const double minutes = std::round(seconds / 60);
  if (minutes < 24 * 60) {
    const int m = static_cast<int>(minutes);
    return fmt::format("{} h {:02} min", m / 60, m % 60);
  }
  const double hours = std::round(seconds / 3600);
  return fmt::format("{:.0f} d {:02.0f} h", std::floor(hours / 24), std::fmod(hours, 24));
}

std::string shortest(double value) {
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace lathe
