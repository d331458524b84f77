// Curves out of metrics: smoothing without lag and thinning to the pixels of a plot.
#pragma once

#include <vector>

#include "lathe/life/runs/metrics.h"
#include "lathe/life/runs/svg.h"

namespace lathe::runs {

/// One value of the metrics over tokens; rows that lack it are left out, NaN stays.
enum class Series { kLoss, kBitsPerByte, kValidLoss, kValidBpb, kLr };
std::vector<Point> series(const std::vector<StepMetrics>& rows, Series which);

/// Local linear fit over a centred window. The window is short at the start, where the loss falls
/// steeply, and grows to `share` of the points; at the end it follows the trend instead of
/// lagging behind. NaN values do not count; where nothing counts the result is NaN.
std::vector<Point> smooth(const std::vector<Point>& points, double share = 0.04);

/// At most about 4 x `columns` points with the same outline: the first, lowest, highest and last
/// of each column. Points ascend in x.
std::vector<Point> thin(const std::vector<Point>& points, int columns);

/// y at x on the polyline, clamped at its ends. NaN for an empty one.
double value_at(const std::vector<Point>& points, double x);

}  // namespace lathe::runs
