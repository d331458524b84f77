// Escapes of string literals in templates.
#pragma once

#include <string>
#include <string_view>

namespace lathe::chat {

/// Appends what the inside of a literal stands for, as jinja2 reads it (Python's unicode-escape
/// after writing other than ASCII as escapes). Returns what is wrong, or null.
const char* unescape(std::string_view inside, std::string& out);

}  // namespace lathe::chat
