// JSON as Python's json.dumps writes it.
#pragma once

#include <optional>

#include "lathe/text/chat/text.h"
#include "lathe/text/chat/value.h"

namespace lathe::chat {

struct JsonStyle {
  bool ascii = false;          // other characters as \uXXXX
  std::optional<Text> indent;  // of one level; none: all on one line
  std::optional<Text> item_separator, key_separator;
  bool sort_keys = false;
};

/// Strings keep their trust; brackets, commas and quotes count as a stranger's. Throws for what
/// JSON does not have.
Text to_json(const Value& value, const JsonStyle& style);

}  // namespace lathe::chat
