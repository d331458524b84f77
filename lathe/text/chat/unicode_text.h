// What Python's str knows of characters: spaces, line ends, case, identifiers.
// The tables are utf8proc's (Unicode 14, as in Python 3.11); special casing is SpecialCasing.txt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::chat {

/// str.isspace(): Unicode's white space and the separators U+001C to U+001F.
bool is_space(std::uint32_t character);

/// A line end of str.splitlines().
bool is_line_end(std::uint32_t character);

/// The character at `at`; a byte that begins none stands for U+FFFD.
struct Character {
  std::uint32_t code;
  std::size_t size;  // bytes
};
Character character_at(std::string_view text, std::size_t at);
/// The character that ends at `end`. REQUIRES: end > 0.
Character character_before(std::string_view text, std::size_t end);

/// Bytes of spaces at the beginning, at the end.
std::size_t leading_spaces(std::string_view text);
std::size_t trailing_spaces(std::string_view text);

/// Bytes of the identifier at the beginning, 0 where there is none.
std::size_t identifier_size(std::string_view text);

/// str.isprintable() of one character.
bool is_printable(std::uint32_t character);

enum class Case { upper, lower, title };
/// Appends the character in that case, which may be several characters.
void append_cased(std::uint32_t character, Case to, std::string& out);

bool is_upper(std::uint32_t character);
bool is_lower(std::uint32_t character);
bool is_title(std::uint32_t character);
/// Takes part in case, as Python's str.title() sees it.
bool is_cased(std::uint32_t character);
/// Is looked past when deciding on a final sigma.
bool is_case_ignorable(std::uint32_t character);
bool is_letter(std::uint32_t character);
bool is_decimal(std::uint32_t character);
/// str.isalnum() of one character, nearly: letters and numbers.
bool is_alphanumeric(std::uint32_t character);

}  // namespace lathe::chat
