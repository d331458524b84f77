// A small writer of SVG: shapes with coordinates rounded to a tenth of a pixel, text escaped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::runs {

/// Text as XML allows it: the five special characters escaped, malformed UTF-8 and characters
/// that XML 1.0 forbids replaced by U+FFFD.
std::string xml_escape(std::string_view text);

struct Point {
  double x, y;
};

struct Box {
  double left, top, width, height;
  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

/// Classes name rules of the style sheet given at the start; colours override them.
class Svg {
 public:
  Svg(int width, int height, std::string_view title, std::string_view style);

  void rect(const Box& box, std::string_view css_class, std::string_view fill = {});
  void line(Point from, Point to, std::string_view css_class, std::string_view stroke = {});
  /// Cut into pieces where a point has a NaN coordinate.
  void polyline(const std::vector<Point>& points, std::string_view css_class,
                std::string_view stroke = {});
  void circle(Point centre, double radius, std::string_view css_class, std::string_view fill = {});
  void text(Point at, std::string_view text, std::string_view css_class,
            std::string_view fill = {});
  /// Everything until end_clip() is cut at the box.
  void begin_clip(const Box& box);
  void end_clip();

  /// The document. To be called once, last.
  std::string finish();

 private:
  std::string out_;
  int clips_ = 0;
};

}  // namespace lathe::runs
