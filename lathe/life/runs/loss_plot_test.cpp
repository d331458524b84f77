#include "lathe/life/runs/loss_plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lathe/base/random.h"
#include "lathe/life/runs/axis.h"
#include "lathe/life/runs/curve.h"

namespace lathe::runs {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string labels(Range range, int wanted, TickStyle style) {
  std::string out;
  for (const Tick& tick : ticks(range, wanted, style)) out += tick.label + " ";
  return out;
}

TEST(Axis, TicksAreRoundAndLabelsTellThemApart) {
  EXPECT_EQ(labels({0, 1}, 5, TickStyle::kPlain), "0.0 0.2 0.4 0.6 0.8 1.0 ");
  EXPECT_EQ(labels({3.11, 5.02}, 4, TickStyle::kPlain), "3.5 4.0 4.5 5.0 ");
  EXPECT_EQ(labels({0, 52428800}, 6, TickStyle::kCount), "0 10M 20M 30M 40M 50M ");
  EXPECT_EQ(labels({0, 12288}, 6, TickStyle::kCount), "0 2k 4k 6k 8k 10k 12k ");
  EXPECT_EQ(labels({0, 1.1e-3}, 2, TickStyle::kScience), "0 5e-4 1e-3 ");
  EXPECT_EQ(labels({-2, 2}, 4, TickStyle::kPlain), "-2 -1 0 1 2 ");
}

TEST(Axis, RangesThatHaveNoWidthGetOne) {
  EXPECT_LT(padded({5, 5}, 0.1).low, 5);
  EXPECT_GT(padded({0, 0}, 0.1).high, 0);
  EXPECT_EQ(padded(Range::nothing(), 0.1).high, 1);
  const Range huge = padded({-1e308, 1e308}, 0.1);
  EXPECT_TRUE(std::isfinite(huge.high - huge.low));
}

std::vector<Point> line(std::size_t n) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < n; ++i) {
    points.push_back({static_cast<double>(i) * 100, 7 - 0.002 * static_cast<double>(i)});
  }
  return points;
}

TEST(Curve, SmoothingKeepsALineUpToItsEnds) {
  const std::vector<Point> points = line(1000), smooth_points = smooth(points);
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_NEAR(smooth_points[i].y, points[i].y, 1e-9) << i;
  }
}

TEST(Curve, SmoothingTakesOutNoiseAndSkipsNan) {
  std::vector<Point> points = line(4000);
  const std::vector<Point> truth = points;
  const RandomStream random(5, "curve");
  for (std::size_t i = 0; i < points.size(); ++i) points[i].y += 0.1 * random.normal(i);
  points[2000].y = kNan;
  const std::vector<Point> out = smooth(points);
  double worst = 0;
  for (std::size_t i = 400; i < out.size(); ++i) {
    worst = std::max(worst, std::abs(out[i].y - truth[i].y));
  }
  EXPECT_LT(worst, 0.05);  // of noise with deviation 0.1
}

TEST(Curve, AllNanStaysNan) {
  const std::vector<Point> out = smooth({{1, kNan}, {2, kNan}});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_TRUE(std::isnan(out[1].y));
}

TEST(Curve, ThinningKeepsTheOutline) {
  std::vector<Point> points = line(100000);
  points[54321].y = 1000;
  points[12345].y = -1000;
  const std::vector<Point> out = thin(points, 300);
  EXPECT_LE(out.size(), 1204u);
  double low = 0, high = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    low = std::min(low, out[i].y);
    high = std::max(high, out[i].y);
    if (i > 0) {
      EXPECT_LT(out[i - 1].x, out[i].x);
    }
  }
  EXPECT_EQ(low, -1000);
  EXPECT_EQ(high, 1000);
  EXPECT_EQ(out.front().x, points.front().x);
  EXPECT_EQ(out.back().x, points.back().x);
}

TEST(Curve, ValueBetweenPoints) {
  const std::vector<Point> points = {{0, 1}, {10, 3}};
  EXPECT_EQ(value_at(points, 5), 2);
  EXPECT_EQ(value_at(points, -5), 1);
  EXPECT_EQ(value_at(points, 50), 3);
  EXPECT_TRUE(std::isnan(value_at({}, 1)));
}

PlotRun run_of(const std::string& name, std::int64_t steps) {
  PlotRun run{name, {}};
  for (std::int64_t i = 1; i <= steps; ++i) {
    StepMetrics m;
    m.step = i;
    m.tokens = i * 1000;
    m.loss = 3 + 7.0 / static_cast<double>(i);
    m.lr = 1e-3;
    if (i % 10 == 0) m.valid_bpb = m.loss / 3;
    run.rows.push_back(m);
  }
  return run;
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++n;
  return n;
}

TEST(Plot, SameInputSameBytes) {
  const PlotRun runs[] = {run_of("a", 100), run_of("b", 50)};
  EXPECT_EQ(plot_svg(runs), plot_svg(runs));
  EXPECT_NE(plot_svg({runs, 1}), plot_svg({runs + 1, 1}));
}

TEST(Plot, SaysNamesFinalValuesAndAxes) {
  const PlotRun run = run_of("shelf", 100);
  const std::string svg = plot_svg({&run, 1});
  EXPECT_NE(svg.find(">shelf</text>"), std::string::npos);
  EXPECT_NE(svg.find(">1.023</text>"), std::string::npos);  // 3.07 / 3 bits per byte
  EXPECT_NE(svg.find(">tokens</text>"), std::string::npos);
  EXPECT_NE(svg.find(">100k</text>"), std::string::npos);
  EXPECT_NE(svg.find("learning rate"), std::string::npos);
}

TEST(Plot, NamesAreEscaped) {
  const PlotRun runs[] = {run_of("</text><script>alert(1)</script>", 20),
                          run_of("a&b \"c\" \xff\x01", 20)};
  for (const std::string& svg : {plot_svg(runs), plot_svg({runs, 1}), plot_svg({runs + 1, 1})}) {
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_EQ(svg.find("a&b"), std::string::npos);
    EXPECT_EQ(svg.find('\xff'), std::string::npos);
    EXPECT_EQ(svg.find('\x01'), std::string::npos);
  }
}

TEST(Plot, CoordinatesAreAlwaysNumbers) {
  PlotRun odd{"odd", {}};
  for (const double loss : {kNan, 1e300, -1e300, HUGE_VAL, 3.0, 3.0, kNan}) {
    StepMetrics m;
    m.step = static_cast<std::int64_t>(odd.rows.size()) + 1;
    m.tokens = m.step;
    m.loss = loss;
    m.valid_bpb = loss;
    m.bits_per_byte = loss;
    m.lr = loss;
    odd.rows.push_back(m);
  }
  const PlotRun none{"none", {}}, one = run_of("one", 1);
  PlotRun still = run_of("still", 5);
  for (StepMetrics& m : still.rows) m.tokens = 0;
  const PlotRun all[] = {odd, none, one, still};
  std::vector<std::string> svgs = {plot_svg({}), plot_svg(all)};
  for (const PlotRun& run : all) svgs.push_back(plot_svg({&run, 1}));
  for (const std::string& svg : svgs) {
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("\"inf"), std::string::npos);
    EXPECT_EQ(count(svg, "<g "), count(svg, "</g>"));
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
  }
}

TEST(Plot, LongRunsStaySmall) {
  const PlotRun run = run_of("long", 100000);
  EXPECT_LT(plot_svg({&run, 1}).size(), 200'000u);
}

TEST(Plot, ManyRunsHaveLegendRowsAndApartLabels) {
  std::vector<PlotRun> runs;
  for (int i = 0; i < 20; ++i)
    runs.push_back(run_of("a rather long name " + std::to_string(i), 50));
  const std::string svg = plot_svg(runs);
  EXPECT_EQ(count(svg, "class=\"legend\""), 20u);
}

}  // namespace
}  // namespace lathe::runs
