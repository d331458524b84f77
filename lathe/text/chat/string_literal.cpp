#include "lathe/text/chat/string_literal.h"

#include <fmt/core.h>

#include <cstdint>

#include "lathe/text/chat/unicode_text.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::chat {
namespace {

using tokenize::append_utf8;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char letter = static_cast<char>(c | 32);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// Reads exactly `count` hexadecimal digits; -1 where there are fewer.
std::int64_t read_hex(std::string_view text, std::size_t& at, int count) {
  std::int64_t value = 0;
  for (; count > 0; --count, ++at) {
    const int digit = at < text.size() ? hex_digit(text[at]) : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

const char* put_code(std::int64_t code, std::string& out) {
  if (code < 0) return "too few digits after '\\x', '\\u' or '\\U' in a string";
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    return "an escape in a string names no character";
  append_utf8(static_cast<std::uint32_t>(code), out);
  return nullptr;
}

void put_octal(std::string_view inside, std::size_t& at, std::string& out) {
  std::uint32_t value = 0;
  for (int i = 0; i < 3 && at < inside.size() && inside[at] >= '0' && inside[at] <= '7'; ++i)
    value = value * 8 + static_cast<std::uint32_t>(inside[at++] - '0');
  append_utf8(value, out);
}

/// A backslash before a character that is not ASCII stays, and so does the escape that jinja2 has
/// written for the character: "\xe9", "\u4f60".
void put_escaped(std::string_view inside, std::size_t& at, std::string& out) {
  const Character c = character_at(inside, at);
  at += c.size;
  if (c.code < 0x100)
    out += fmt::format("\\x{:02x}", c.code);
  else if (c.code < 0x10000)
    out += fmt::format("\\u{:04x}", c.code);
  else
    out += fmt::format("\\U{:08x}", c.code);
}

/// The escape whose letter is at `at`.
const char* put_escape(std::string_view inside, std::size_t& at, std::string& out) {
  static constexpr std::string_view kLetters = "\\'\"abfnrtv", kStand = "\\'\"\a\b\f\n\r\t\v";
  const char letter = inside[at];
  if (static_cast<unsigned char>(letter) >= 0x80) return put_escaped(inside, at, out), nullptr;
  if (letter >= '0' && letter <= '7') return put_octal(inside, at, out), nullptr;
  ++at;
  if (const std::size_t i = kLetters.find(letter); i != kLetters.npos)
    out += kStand[i];
  else if (letter == 'x')
    return put_code(read_hex(inside, at, 2), out);
  else if (letter == 'u')
    return put_code(read_hex(inside, at, 4), out);
  else if (letter == 'U')
    return put_code(read_hex(inside, at, 8), out);
  else if (letter == 'N')
    return "names of characters (\\N{...}) are not supported in strings";
  else if (letter != '\n')
    out += {'\\', letter};
  return nullptr;
}

}  // namespace

const char* unescape(std::string_view inside, std::string& out) {
  for (std::size_t at = 0; at < inside.size();) {
    if (inside[at] != '\\') {
      out += inside[at++];
      continue;
    }
    if (++at == inside.size()) return "the string ends in a backslash";
    if (const char* problem = put_escape(inside, at, out)) return problem;
  }
  return nullptr;
}

}  // namespace lathe::chat
