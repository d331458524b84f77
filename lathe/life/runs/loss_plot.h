// The picture of one run, or of several laid over each other: training loss, validation bits per
// byte and learning rate over tokens, as SVG.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lathe/life/runs/metrics.h"

namespace lathe::runs {

struct PlotRun {
  std::string name;
  std::vector<StepMetrics> rows;
};

struct PlotOptions {
  std::string title;     // empty: the name of the only run, or "N runs"
  std::string subtitle;  // empty: tokens and final values
  int width = 900;
  int height = 500;
};

/// The same bytes for the same input. Any number of runs and rows, also none.
std::string plot_svg(std::span<const PlotRun> runs, const PlotOptions& options = {});

}  // namespace lathe::runs
