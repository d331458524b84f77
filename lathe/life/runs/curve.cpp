#include "lathe/life/runs/curve.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lathe::runs {
namespace {

std::optional<double> pick(const StepMetrics& m, Series which) {
  switch (which) {
    case Series::kLoss:
      return m.loss;
    case Series::kBitsPerByte:
      return m.bits_per_byte;
    case Series::kValidLoss:
      return m.valid_loss;
    case Series::kValidBpb:
      return m.valid_bpb;
    case Series::kLr:
      return m.lr;
  }
  return std::nullopt;
}

// Running sums over the finite points before each index: count, x, y, xx, xy. In 80 bits, since a
// window is the difference of two sums over perhaps a million points.
using Sums = std::array<long double, 5>;

std::vector<Sums> running_sums(const std::vector<Point>& points, Point origin, double unit) {
  std::vector<Sums> sums(points.size() + 1, Sums{});
  for (std::size_t i = 0; i < points.size(); ++i) {
    Sums next = sums[i];
    const long double x = (points[i].x - origin.x) / unit;
    const long double y = points[i].y - origin.y;
    if (std::isfinite(y)) {
      const Sums add = {1, x, y, x * x, x * y};
      for (std::size_t k = 0; k < add.size(); ++k) next[k] += add[k];
    }
    sums[i + 1] = next;
  }
  return sums;
}

// Least-squares line through the points of a window, at x.
double fit_at(const Sums& before, const Sums& after, double x) {
  Sums s;
  for (std::size_t k = 0; k < s.size(); ++k) s[k] = after[k] - before[k];
  const long double n = s[0];
  if (n < 1) return std::nan("");
  const long double mean_x = s[1] / n, mean_y = s[2] / n;
  const long double variance = s[3] / n - mean_x * mean_x;
  const long double covariance = s[4] / n - mean_x * mean_y;
  const bool flat = n < 3 || variance <= 1e-14 * (1 + mean_x * mean_x);
  return static_cast<double>(flat ? mean_y : mean_y + covariance / variance * (x - mean_x));
}

}  // namespace

std::vector<Point> series(const std::vector<StepMetrics>& rows, Series which) {
  std::vector<Point> out;
  for (const StepMetrics& row : rows) {
    const std::optional<double> value = pick(row, which);
    if (value) out.push_back({static_cast<double>(row.tokens), *value});
  }
  return out;
}

std::vector<Point> smooth(const std::vector<Point>& points, double share) {
  const auto n = static_cast<std::int64_t>(points.size());
  if (n == 0) return {};
  const auto first_finite =
      std::find_if(points.begin(), points.end(), [](const Point& p) { return std::isfinite(p.y); });
  if (first_finite == points.end()) return points;
  // Sums lose least around the middle of the values.
  const Point origin{(points.front().x + points.back().x) / 2, first_finite->y};
  const double unit = std::max(1.0, (points.back().x - points.front().x) / 2);
  const std::vector<Sums> sums = running_sums(points, origin, unit);
  const auto widest = static_cast<std::int64_t>(share * static_cast<double>(n));
  std::vector<Point> out(points.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t half = std::min(widest, i / 4);
    const std::int64_t begin = std::max<std::int64_t>(0, i - half);
    const std::int64_t end = std::min(n, i + half + 1);
    const double y = fit_at(sums[begin], sums[end], (points[i].x - origin.x) / unit);
    out[i] = {points[i].x, y + origin.y};
  }
  return out;
}

std::vector<Point> thin(const std::vector<Point>& points, int columns) {
  if (columns < 1 || points.size() <= static_cast<std::size_t>(columns) * 4) return points;
  const double first = points.front().x;
  const double width = std::max(1e-300, (points.back().x - first) / columns);
  std::vector<Point> out;
  for (std::size_t begin = 0; begin < points.size();) {
    const double column = std::floor((points[begin].x - first) / width);
    std::size_t end = begin, low = begin, high = begin;
    for (; end < points.size() && std::floor((points[end].x - first) / width) == column; ++end) {
      if (!(points[low].y <= points[end].y)) low = end;
      if (!(points[high].y >= points[end].y)) high = end;
    }
    std::array<std::size_t, 4> keep = {begin, low, high, end - 1};
    std::sort(keep.begin(), keep.end());
    for (std::size_t k = 0; k < keep.size(); ++k) {
      if (k == 0 || keep[k] != keep[k - 1]) out.push_back(points[keep[k]]);
    }
    begin = end;
  }
  return out;
}

double value_at(const std::vector<Point>& points, double x) {
  if (points.empty()) return std::nan("");
  const auto after = std::lower_bound(points.begin(), points.end(), x,
                                      [](const Point& p, double at) { return p.x < at; });
  if (after == points.end()) return points.back().y;
  if (after == points.begin() || after->x == x) return after->y;
  const Point a = *(after - 1), b = *after;
  return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
}

}  // namespace lathe::runs
