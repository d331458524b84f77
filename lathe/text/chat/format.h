// Python's two ways of formatting: "%s" % x and "{}".format(x).
#pragma once

#include <string_view>

#include "lathe/text/chat/builtins.h"

namespace lathe::chat {

/// format % values. With `markup`, what is inserted is escaped.
Text percent_format(Machine& machine, const Text& format, const Value& values, bool markup);

/// format.format(arguments).
Text brace_format(Machine& machine, const Text& format, const Arguments& arguments, bool markup);

/// A number as a format specification asks ("{:>8.3f}" without the braces and the colon).
struct FormatSpec {
  std::string_view fill = " ";
  char align = 0;  // < > ^ =
  char sign = '-';
  bool alternative = false, zero = false;
  char group = 0;  // , or _
  std::int64_t width = 0, precision = -1;
  char type = 0;
};
/// Throws for what is no number of that type.
std::string format_number(const Value& value, const FormatSpec& spec);

}  // namespace lathe::chat
