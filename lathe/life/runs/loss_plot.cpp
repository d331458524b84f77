#include "lathe/life/runs/loss_plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "lathe/base/format.h"
#include "lathe/life/runs/axis.h"
#include "lathe/life/runs/curve.h"
#include "lathe/life/runs/format.h"
#include "lathe/life/runs/svg.h"
#include "lathe/life/runs/text.h"

namespace lathe::runs {
namespace {

// Distinguishable also for colour-blind readers by order of lightness.
constexpr std::array<std::string_view, 8> kColors = {"#2563eb", "#e8590c", "#0f9d74", "#9c36b5",
                                                     "#c92a2a", "#0b7285", "#b8860b", "#495057"};
constexpr std::string_view kValidColor = "#e8590c";
constexpr std::string_view kLrColor = "#868e96";

constexpr std::string_view kStyle =
    "text{font-family:-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,\"DejaVu "
    "Sans\",sans-serif;font-size:11px;fill:#495057}\n"
    ".page{fill:#ffffff}.panel{fill:#fbfcfd}\n"
    ".title{font-size:17px;font-weight:600;fill:#212529}.subtitle{font-size:12px;fill:#6c757d}\n"
    ".name{font-size:11.5px;font-weight:600;fill:#343a40}\n"
    ".x{text-anchor:middle}.y{text-anchor:end}.right{text-anchor:end}\n"
    ".end{font-size:12px;font-weight:600}\n"
    ".grid{stroke:#e9ecef;stroke-width:1}.axis{stroke:#adb5bd;stroke-width:1}\n"
    "path{fill:none;stroke-linejoin:round;stroke-linecap:round}\n"
    ".raw{stroke-width:1;stroke-opacity:.25}.smooth{stroke-width:2}.thin{stroke-width:1.5}\n"
    ".dash{stroke-width:1.5;stroke-dasharray:2 4;stroke-opacity:.7}\n"
    ".dot{stroke:#ffffff;stroke-width:1.5}.lost{fill:#c92a2a}\n";

constexpr double kSteep = 0.04;  // share of the tokens whose steep fall may leave the panel
constexpr double kLeft = 62, kRightMargin = 78, kBottomMargin = 46, kGap = 26;

/// What is drawn of one run.
struct Curves {
  std::string name;
  std::string_view color, valid_color, lr_color;
  std::vector<Point> raw, smooth, train_bpb, valid, lr;
};

Curves curves_of(const PlotRun& run, std::size_t index, bool alone) {
  Curves c;
  c.name = run.name;
  c.color = kColors[index % kColors.size()];
  c.valid_color = alone ? kValidColor : c.color;
  c.lr_color = alone ? kLrColor : c.color;
  c.raw = series(run.rows, Series::kLoss);
  c.smooth = smooth(c.raw);
  c.train_bpb = smooth(series(run.rows, Series::kBitsPerByte));
  c.valid = series(run.rows, Series::kValidBpb);
  std::erase_if(c.valid, [](const Point& p) { return !std::isfinite(p.y); });
  c.lr = series(run.rows, Series::kLr);
  return c;
}

/// The values worth seeing: what lies before `from` (the first steep fall) may leave the panel.
void include(Range& range, const std::vector<Point>& points, double from) {
  for (const Point& p : points) {
    if (p.x >= from) range.include(p.y);
  }
}

double last_finite(const std::vector<Point>& points) {
  for (auto p = points.rbegin(); p != points.rend(); ++p) {
    if (std::isfinite(p->y)) return p->y;
  }
  return std::nan("");
}

class Plot {
 public:
  Plot(std::span<const PlotRun> runs, const PlotOptions& options);
  std::string draw();

 private:
  struct Panel {
    Box box;
    Scale y;
  };

  double top_of_panels() const { return legend_rows_ > 0 ? 62 + 18 * legend_rows_ : 66; }
  void place_legend();
  void draw_head();
  void draw_legend();
  void draw_frame(const Panel& panel, std::string_view name, const std::vector<Tick>& y_ticks);
  void draw_x_axis(const Panel& lowest);
  void draw_loss(const Panel& panel);
  void draw_valid(const Panel& panel);
  void draw_lr(const Panel& panel);
  void draw_ends(const Panel& panel, bool valid);
  std::vector<Point> mapped(const std::vector<Point>& points, const Panel& panel) const;

  bool alone() const { return curves_.size() == 1; }

  PlotOptions options_;
  std::vector<Curves> curves_;
  bool has_valid_ = false, has_train_bpb_ = false;
  double last_x_ = 0;
  Scale x_{};
  int legend_rows_ = 0;
  std::vector<Point> legend_at_;
  Svg svg_;
};

std::string title_of(std::span<const PlotRun> runs, const PlotOptions& options) {
  if (!options.title.empty()) return options.title;
  return runs.size() == 1 ? runs[0].name : fmt::format("{} runs", runs.size());
}

Plot::Plot(std::span<const PlotRun> runs, const PlotOptions& options)
    : options_(options), svg_(options.width, options.height, title_of(runs, options), kStyle) {
  options_.title = title_of(runs, options);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    curves_.push_back(curves_of(runs[i], i, runs.size() == 1));
    const Curves& c = curves_.back();
    has_valid_ = has_valid_ || !c.valid.empty();
    has_train_bpb_ = has_train_bpb_ || !c.train_bpb.empty();
    if (!c.raw.empty()) last_x_ = std::max(last_x_, c.raw.back().x);
  }
  if (last_x_ <= 0) last_x_ = 1;
  x_ = {{0, last_x_}, kLeft, options_.width - kRightMargin};
  place_legend();
}

// Names of several runs in rows below the title, as many a row as fit.
void Plot::place_legend() {
  if (alone()) return;
  double x = kLeft;
  const double limit = options_.width - 20;
  for (const Curves& c : curves_) {
    const double width = 44 + 6.9 * columns(shorten(clean_utf8(c.name), 48));
    if (x > kLeft && x + width > limit) x = kLeft, ++legend_rows_;
    legend_at_.push_back({x, 66.0 + 18 * legend_rows_});
    x += width;
  }
  if (!curves_.empty()) ++legend_rows_;
}

std::vector<Point> Plot::mapped(const std::vector<Point>& points, const Panel& panel) const {
  std::vector<Point> out = thin(points, static_cast<int>(panel.box.width / 2));
  for (Point& p : out) p = {x_(p.x), panel.y(p.y)};
  return out;
}

void Plot::draw_head() {
  svg_.rect({0, 0, double(options_.width), double(options_.height)}, "page");
  const int fits = (options_.width - 80) / 9;
  svg_.text({kLeft, 28}, shorten(clean_utf8(options_.title), fits), "title");
  std::string subtitle = options_.subtitle;
  if (subtitle.empty() && last_x_ <= 1) {
    subtitle = "no steps yet";
  } else if (subtitle.empty()) {
    subtitle = fmt::format("{} tokens", human_count(last_x_));
    if (alone()) {
      const double loss = last_finite(curves_[0].smooth), bpb = last_finite(curves_[0].valid);
      if (!std::isnan(loss)) subtitle += fmt::format("  ·  loss {:.3f}", loss);
      if (!std::isnan(bpb)) subtitle += fmt::format("  ·  {:.3f} bits per byte", bpb);
    }
  }
  svg_.text({kLeft, 47}, shorten(clean_utf8(subtitle), options_.width / 7), "subtitle");
}

void Plot::draw_legend() {
  for (std::size_t i = 0; i < legend_at_.size(); ++i) {
    const Point at = legend_at_[i];
    svg_.line({at.x, at.y - 4}, {at.x + 18, at.y - 4}, "smooth", curves_[i].color);
    svg_.text({at.x + 24, at.y}, shorten(clean_utf8(curves_[i].name), 48), "legend");
  }
}

void Plot::draw_frame(const Panel& panel, std::string_view name, const std::vector<Tick>& y_ticks) {
  const Box& box = panel.box;
  svg_.rect(box, "panel");
  for (const Tick& tick : ticks(x_.range, 8, TickStyle::kCount)) {
    const double x = x_(tick.value);
    svg_.line({x, box.top}, {x, box.bottom()}, "grid");
  }
  for (const Tick& tick : y_ticks) {
    const double y = panel.y(tick.value);
    svg_.line({box.left, y}, {box.right(), y}, "grid");
    svg_.text({box.left - 8, y + 4}, tick.label, "y");
  }
  svg_.line({box.left, box.bottom()}, {box.right(), box.bottom()}, "axis");
  svg_.text({box.left, box.top - 7}, name, "name");
}

void Plot::draw_x_axis(const Panel& lowest) {
  const double bottom = lowest.box.bottom();
  for (const Tick& tick : ticks(x_.range, 8, TickStyle::kCount)) {
    svg_.line({x_(tick.value), bottom}, {x_(tick.value), bottom + 4}, "axis");
    svg_.text({x_(tick.value), bottom + 18}, tick.label, "x");
  }
  svg_.text({(lowest.box.left + lowest.box.right()) / 2, bottom + 35}, "tokens", "x");
}

// Labels at the right end of each curve, moved apart where they would touch.
void Plot::draw_ends(const Panel& panel, bool valid) {
  struct End {
    Point at;
    double label_y;
    std::string text;
    std::string_view color;
  };
  std::vector<End> ends;
  for (const Curves& c : curves_) {
    const std::vector<Point>& points = valid ? c.valid : c.smooth;
    const double y = last_finite(points);
    if (std::isnan(y)) continue;
    const double at_y = std::clamp(panel.y(y), panel.box.top, panel.box.bottom());
    const auto color = valid ? c.valid_color : c.color;
    ends.push_back({{x_(points.back().x), at_y}, at_y, fmt::format("{:.3f}", y), color});
  }
  std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.at.y < b.at.y; });
  constexpr double kApart = 14;
  for (std::size_t i = 1; i < ends.size(); ++i) {
    ends[i].label_y = std::max(ends[i].label_y, ends[i - 1].label_y + kApart);
  }
  double floor = panel.box.bottom() + 6;  // pushed beyond the panel: go back up
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    end->label_y = std::min(end->label_y, floor);
    floor = end->label_y - kApart;
  }
  for (const End& end : ends) {
    svg_.circle(end.at, 3.5, "dot", end.color);
    svg_.text({panel.box.right() + 10, end.label_y + 4}, end.text, "end", end.color);
  }
}

void Plot::draw_loss(const Panel& panel) {
  std::string name = "training loss, nats per token";
  const bool cut = alone() && !curves_[0].raw.empty() && curves_[0].raw[0].y > panel.y.range.high;
  if (cut) name += fmt::format("  (begins at {:.2f})", curves_[0].raw[0].y);
  draw_frame(panel, name,
             ticks(panel.y.range, static_cast<int>(panel.box.height / 34), TickStyle::kPlain));
  svg_.begin_clip(panel.box);
  for (const Curves& c : curves_) svg_.polyline(mapped(c.raw, panel), "raw", c.color);
  for (const Curves& c : curves_) svg_.polyline(mapped(c.smooth, panel), "smooth", c.color);
  for (const Curves& c : curves_) {
    for (const Point& p : c.raw) {  // steps whose loss was not finite
      if (!std::isfinite(p.y)) svg_.circle({x_(p.x), panel.box.top + 5}, 2, "lost");
    }
  }
  svg_.end_clip();
  draw_ends(panel, false);
}

void Plot::draw_valid(const Panel& panel) {
  const bool dashes = alone() && has_train_bpb_;
  draw_frame(
      panel,
      dashes ? "bits per byte: validation, and training (dotted)" : "validation, bits per byte",
      ticks(panel.y.range, static_cast<int>(panel.box.height / 28), TickStyle::kPlain));
  svg_.begin_clip(panel.box);
  for (const Curves& c : curves_) {
    if (dashes) svg_.polyline(mapped(c.train_bpb, panel), "dash", c.color);
    svg_.polyline(mapped(c.valid, panel), "smooth", c.valid_color);
    if (c.valid.size() > 60) continue;
    for (const Point& p : mapped(c.valid, panel)) svg_.circle(p, 2.5, "point", c.valid_color);
  }
  svg_.end_clip();
  draw_ends(panel, true);
}

void Plot::draw_lr(const Panel& panel) {
  draw_frame(panel, "learning rate", ticks(panel.y.range, 2, TickStyle::kScience));
  svg_.begin_clip(panel.box);
  for (const Curves& c : curves_) svg_.polyline(mapped(c.lr, panel), "thin", c.lr_color);
  svg_.end_clip();
}

std::string Plot::draw() {
  draw_head();
  draw_legend();
  const double top = top_of_panels() + 16;
  const double gaps = has_valid_ ? 2 * kGap : kGap;
  const double height = std::max(90.0, options_.height - kBottomMargin - top - gaps);
  const double loss_share = has_valid_ ? 0.53 : 0.80, valid_share = has_valid_ ? 0.31 : 0;

  Range loss = Range::nothing(), valid = Range::nothing(), lr = {0, 0};
  for (const Curves& c : curves_) {
    include(loss, c.smooth, last_x_ * kSteep);
    include(loss, thin(c.raw, 200), last_x_ * 3 * kSteep);
    include(valid, c.valid, last_x_ * kSteep);
    include(lr, c.lr, 0);
  }
  Range all = Range::nothing();
  for (const Curves& c : curves_) include(all, c.raw, 0);
  // Nothing is cut off where that would hardly help.
  if (loss.empty() || all.high - all.low < 1.3 * (loss.high - loss.low)) loss = all;
  if (valid.empty()) {
    for (const Curves& c : curves_) include(valid, c.valid, 0);
  }

  const double width = options_.width - kRightMargin - kLeft;
  const auto panel = [&](double from, double share, Range range) {
    const Box box{kLeft, from, width, height * share};
    return Panel{box, {range, box.bottom(), box.top}};
  };
  const Panel loss_panel = panel(top, loss_share, padded(loss, 0.05));
  draw_loss(loss_panel);
  double next = loss_panel.box.bottom() + kGap;
  if (has_valid_) {
    const Panel valid_panel = panel(next, valid_share, padded(valid, 0.12));
    draw_valid(valid_panel);
    next = valid_panel.box.bottom() + kGap;
  }
  Range lr_range = padded(lr, 0.08);
  lr_range.low = std::min(0.0, lr.low);
  const Panel lr_panel = panel(next, 1 - loss_share - valid_share, lr_range);
  draw_lr(lr_panel);
  draw_x_axis(lr_panel);
  return svg_.finish();
}

}  // namespace

std::string plot_svg(std::span<const PlotRun> runs, const PlotOptions& options) {
  return Plot(runs, options).draw();
}

}  // namespace lathe::runs
