// Operations of Python's str on Text. Offsets are bytes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lathe/text/chat/text.h"
#include "lathe/text/chat/unicode_text.h"

namespace lathe::chat {

/// First place at `from` or later, npos if none. Linear time.
std::size_t find_bytes(std::string_view text, std::string_view part, std::size_t from = 0);
/// Last place that ends at `end` or before. Linear time.
std::size_t rfind_bytes(std::string_view text, std::string_view part, std::size_t end);

enum class Side { left = 1, right = 2, both = 3 };
/// Without spaces at the ends, or without the characters in `chars` (null: spaces).
Text strip(const Text& text, const std::string_view* chars, Side side);

/// At most `count` replacements (negative: all).
Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t count);

/// str.split(separator, most) and rsplit; negative `most`: no limit. REQUIRES: a separator that is
/// not empty.
std::vector<Text> split(const Text& text, std::string_view separator, std::int64_t most);
std::vector<Text> rsplit(const Text& text, std::string_view separator, std::int64_t most);
/// At runs of spaces.
std::vector<Text> split_spaces(const Text& text, std::int64_t most);
std::vector<Text> rsplit_spaces(const Text& text, std::int64_t most);
std::vector<Text> split_lines(const Text& text, bool keep_ends);

/// Every character in that case. In lower case a Greek sigma that ends a word is final.
Text cased(const Text& text, Case to);
/// The first character in title case, the rest in lower case.
Text capitalized(const Text& text);
/// str.title(): each run of cased characters.
Text titled(const Text& text);
Text swapped_case(const Text& text);

/// The characters one by one.
std::vector<Text> characters(const Text& text);

/// Padded to `width` characters: 0 padding left, 1 right, 2 both (as str.center).
Text padded(const Text& text, std::int64_t width, std::string_view fill, Side text_side);

}  // namespace lathe::chat
