#include "lathe/life/runs/svg.h"

#include <fmt/core.h>

#include <cmath>

#include "lathe/life/runs/text.h"

namespace lathe::runs {
namespace {

// "12", "12.3": a tenth of a pixel is enough, and short.
std::string coordinate(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string attributes(std::string_view css_class, std::string_view name, std::string_view color) {
  std::string out = fmt::format(" class=\"{}\"", css_class);
  // As a style, since rules of the style sheet would win over an attribute.
  if (!color.empty()) out += fmt::format(" style=\"{}:{}\"", name, color);
  return out;
}

bool allowed_in_xml(char32_t c) {
  const bool control = c < 0x20 && c != '\t' && c != '\n' && c != '\r';
  return !control && c != 0xFFFE && c != 0xFFFF;
}

}  // namespace

std::string xml_escape(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const bool bad = (c.value == 0xFFFD && c.bytes == 1) || !allowed_in_xml(c.value);
    switch (c.value) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += bad ? std::string_view("\xEF\xBF\xBD") : text.substr(at, c.bytes);
    }
    at += static_cast<std::size_t>(c.bytes);
  }
  return out;
}

Svg::Svg(int width, int height, std::string_view title, std::string_view style) {
  out_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" role=\"img\">\n<title>{2}</title>\n<style>\n{3}</style>\n",
      width, height, xml_escape(title), style);
}

void Svg::rect(const Box& box, std::string_view css_class, std::string_view fill) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}/>\n",
                      coordinate(box.left), coordinate(box.top), coordinate(box.width),
                      coordinate(box.height), attributes(css_class, "fill", fill));
}

void Svg::line(Point from, Point to, std::string_view css_class, std::string_view stroke) {
  out_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}/>\n", coordinate(from.x),
                      coordinate(from.y), coordinate(to.x), coordinate(to.y),
                      attributes(css_class, "stroke", stroke));
}

void Svg::polyline(const std::vector<Point>& points, std::string_view css_class,
                   std::string_view stroke) {
  std::string path;
  bool open = false;
  for (const Point& p : points) {
    const bool finite = std::isfinite(p.x) && std::isfinite(p.y);
    if (finite) path += (open ? "L" : "M") + coordinate(p.x) + " " + coordinate(p.y);
    open = finite;
  }
  if (path.empty()) return;
  out_ += fmt::format("<path d=\"{}\"{}/>\n", path, attributes(css_class, "stroke", stroke));
}

void Svg::circle(Point centre, double radius, std::string_view css_class, std::string_view fill) {
  if (!std::isfinite(centre.x) || !std::isfinite(centre.y)) return;
  out_ +=
      fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}/>\n", coordinate(centre.x),
                  coordinate(centre.y), coordinate(radius), attributes(css_class, "fill", fill));
}

void Svg::text(Point at, std::string_view text, std::string_view css_class, std::string_view fill) {
  out_ += fmt::format("<text x=\"{}\" y=\"{}\"{}>{}</text>\n", coordinate(at.x), coordinate(at.y),
                      attributes(css_class, "fill", fill), xml_escape(text));
}

void Svg::begin_clip(const Box& box) {
  ++clips_;
  out_ += fmt::format(
      "<clipPath id=\"c{}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>"
      "</clipPath>\n<g clip-path=\"url(#c{})\">\n",
      clips_, coordinate(box.left), coordinate(box.top), coordinate(box.width),
      coordinate(box.height), clips_);
}

void Svg::end_clip() { out_ += "</g>\n"; }

std::string Svg::finish() { return std::move(out_) + "</svg>\n"; }

}  // namespace lathe::runs
