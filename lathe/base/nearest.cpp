#include "lathe/base/nearest.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace lathe {
namespace {

constexpr std::size_t kLongest = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kLongest);
  b = b.substr(0, kLongest);
  std::array<std::array<int, kLongest + 1>, 3>
      rows{};  // row i % 3: distances of a[0..i) to b[0..j)
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int differs = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + differs});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                           lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], rows[(i + 1) % 3][j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

double name_distance(std::string_view written, std::string_view meant) {
  const int distance = edit_distance(written, meant);
  const std::size_t shorter = std::min(written.size(), meant.size());
  if (shorter >= 3 && (meant.starts_with(written) || written.starts_with(meant)))
    return std::min(distance, 1);
  const double limit = std::max(1.0, static_cast<double>(shorter) / 3.0);
  return distance <= limit || written == meant ? distance : kTooFar;
}

std::string nearest(std::string_view written, const std::vector<std::string>& candidates) {
  std::string best;
  double least = kTooFar;
  for (const std::string& candidate : candidates) {
    const double distance = name_distance(written, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view written, const std::vector<std::string>& candidates) {
  const std::string best = nearest(written, candidates);
  return best.empty() ? "" : fmt::format("; did you mean '{}'?", best);
}

}  // namespace lathe
