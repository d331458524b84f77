// Text as people and terminals need it: valid UTF-8, column widths, wrapping.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::runs {

struct CodePoint {
  char32_t value;  // U+FFFD where the bytes are not UTF-8
  int bytes;       // bytes to step over, at least 1
};

/// The code point that starts at text[at]. REQUIRES: at < text.size().
CodePoint decode_utf8(std::string_view text, std::size_t at);

/// A copy in which every malformed byte sequence is U+FFFD.
std::string clean_utf8(std::string_view text);

/// A copy that cannot steer a terminal: escape and other control characters and direction
/// overrides become U+FFFD, tabs become spaces, carriage returns go. Line feeds stay.
std::string printable(std::string_view text);

/// Terminal columns that valid UTF-8 takes: East Asian wide characters two, combining marks none.
int columns(std::string_view text);

/// Breaks text at spaces (and inside words that are too long) into lines of at most `width`
/// columns. Line feeds of the text are kept. width >= 2.
std::vector<std::string> wrap(std::string_view text, int width);

/// Cuts to `width` columns; a cut text ends in "…".
std::string shorten(std::string_view text, int width);

/// Appends spaces up to `width` columns.
std::string pad_right(std::string text, int width);
/// Prepends spaces up to `width` columns.
std::string pad_left(std::string text, int width);

}  // namespace lathe::runs
