#include "lathe/life/runs/text.h"

#include <algorithm>
#include <cstdint>

namespace lathe::runs {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<std::uint8_t>(text[at]) & 0xC0) == 0x80;
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// Characters that reorder what follows them on the screen (Unicode bidirectional controls).
bool is_direction_override(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool is_zero_width(char32_t c) {
  return (c >= 0x300 && c < 0x370) || (c >= 0x200B && c <= 0x200F) || (c >= 0x20D0 && c < 0x2100) ||
         (c >= 0xFE00 && c < 0xFE10) || (c >= 0xFE20 && c < 0xFE30) || c == 0xFEFF;
}

bool is_wide(char32_t c) {
  return (c >= 0x1100 && c < 0x1160) || (c >= 0x2E80 && c < 0x303F) ||
         (c >= 0x3041 && c < 0xA4D0) || (c >= 0xAC00 && c < 0xD7A4) ||
         (c >= 0xF900 && c < 0xFB00) || (c >= 0xFE30 && c < 0xFE70) ||
         (c >= 0xFF00 && c < 0xFF61) || (c >= 0x1F300 && c < 0x1F650) ||
         (c >= 0x1F680 && c < 0x1F700) || (c >= 0x1F900 && c < 0x1FA00) ||
         (c >= 0x20000 && c < 0x3FFFE);
}

int width_of(char32_t c) { return is_zero_width(c) ? 0 : is_wide(c) ? 2 : 1; }

// Bytes of the longest prefix of text that fits into `width` columns.
std::size_t prefix_that_fits(std::string_view text, int width) {
  std::size_t at = 0;
  int used = 0;
  while (at < text.size()) {
    const CodePoint c = decode_utf8(text, at);
    used += width_of(c.value);
    if (used > width) break;
    at += static_cast<std::size_t>(c.bytes);
  }
  return at;
}

void wrap_line(std::string_view line, int width, std::vector<std::string>& out) {
  for (;;) {
    std::size_t fits = prefix_that_fits(line, width);
    if (fits >= line.size()) break;
    std::size_t space = line.rfind(' ', fits);
    const bool at_space = space != std::string_view::npos && space > 0;
    if (!at_space) fits = std::max<std::size_t>(fits, 1);
    out.emplace_back(line.substr(0, at_space ? space : fits));
    line.remove_prefix(at_space ? space + 1 : fits);
  }
  out.emplace_back(line);
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto lead = static_cast<std::uint8_t>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const int extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4) return {0xFFFD, 1};
  char32_t value = lead & (0x3F >> extra);
  for (int i = 1; i <= extra; ++i) {
    if (!continuation(text, at + i)) return {0xFFFD, 1};
    value = (value << 6) | (static_cast<std::uint8_t>(text[at + i]) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};  // shorter forms are overlong
  const bool surrogate = value >= 0xD800 && value < 0xE000;
  if (value < kLeast[extra] || value > 0x10FFFF || surrogate) return {0xFFFD, 1};
  return {value, extra + 1};
}

std::string clean_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const bool bad = c.value == 0xFFFD && c.bytes == 1;
    out += bad ? kReplacement : text.substr(at, c.bytes);
    at += static_cast<std::size_t>(c.bytes);
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const bool bad = (c.value == 0xFFFD && c.bytes == 1) || is_direction_override(c.value);
    if (c.value == '\t') {
      out += "    ";
    } else if (c.value == '\n') {
      out += '\n';
    } else if (bad || (is_control(c.value) && c.value != '\r')) {
      out += kReplacement;
    } else if (c.value != '\r') {
      out += text.substr(at, c.bytes);
    }
    at += static_cast<std::size_t>(c.bytes);
  }
  return out;
}

int columns(std::string_view text) {
  int total = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    total += width_of(c.value);
    at += static_cast<std::size_t>(c.bytes);
  }
  return total;
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    wrap_line(text.substr(0, end), width, out);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string shorten(std::string_view text, int width) {
  if (columns(text) <= width) return std::string(text);
  return std::string(text.substr(0, prefix_that_fits(text, width - 1))) + "…";
}

std::string pad_right(std::string text, int width) {
  const int missing = width - columns(text);
  if (missing > 0) text.append(static_cast<std::size_t>(missing), ' ');
  return text;
}

std::string pad_left(std::string text, int width) {
  const int missing = width - columns(text);
  if (missing > 0) text.insert(0, static_cast<std::size_t>(missing), ' ');
  return text;
}

}  // namespace lathe::runs
