#include "lathe/data/text.h"

#include <fmt/core.h>
#include <simdjson.h>

#include "lathe/base/error.h"

namespace lathe::data {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// Bytes of the well-formed sequence at the front of `s`; 0 where there is none.
/// Source: Unicode 15, table 3-7.
std::size_t sequence_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;  // of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;   // overlong
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;   // overlong
    if (lead == 0xF4) high = 0x8F;  // beyond U+10FFFF
  }
  if (length == 0 || s.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!is_continuation(s[i])) return 0;
  return length;
}

}  // namespace

bool is_utf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

std::size_t first_bad_utf8(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t n = sequence_length(bytes.substr(at));
    if (n == 0) return at;
    at += n;
  }
  return at;
}

std::string explain_bad_utf8(std::string_view line) {
  const std::size_t at = first_bad_utf8(line);
  if (at >= line.size()) return "expected UTF-8, got something else";
  const auto byte = static_cast<unsigned char>(line[at]);
  std::string_view hint = "";
  if (byte >= 0xFE && at == 0) hint = "; the file looks like UTF-16, convert it with iconv";
  return fmt::format("expected UTF-8, got byte 0x{:02x} at byte {} of the line{}", byte, at + 1,
                     hint);
}

std::int64_t convert_crlf(std::string& text) {
  std::size_t from = text.find("\r\n");
  if (from == std::string::npos) return 0;
  while (from > 0 && text[from - 1] == '\r') --from;
  std::int64_t count = 0;
  std::size_t to = from;
  while (from < text.size()) {
    std::size_t run = from;  // of CR
    while (run < text.size() && text[run] == '\r') ++run;
    if (run > from && run < text.size() && text[run] == '\n') {
      from = run;
      ++count;
    }
    do {
      text[to++] = text[from++];
    } while (from < run);
  }
  text.resize(to);
  return count;
}

std::size_t cut_point(std::string_view text, std::size_t limit) {
  LATHE_CHECK(limit >= 1 && limit < text.size());
  const std::string_view front = text.substr(0, limit);
  const std::size_t line_end = front.rfind('\n');
  if (line_end != std::string_view::npos && line_end >= limit / 2) return line_end + 1;
  const std::size_t space = front.rfind(' ');
  if (space != std::string_view::npos && space >= limit / 2 && space > 0) return space;
  std::size_t cut = limit;
  while (cut > 1 && limit - cut < 3 && is_continuation(text[cut])) --cut;
  if (is_continuation(text[cut])) cut = limit;  // not UTF-8 anyway
  if (cut > 1 && text[cut - 1] == '\r') --cut;  // keep CR LF together
  return cut;
}

}  // namespace lathe::data
