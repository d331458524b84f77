#include "lathe/text/chat/unicode_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::chat {
namespace {

struct SpecialCase {
  std::uint32_t code, upper[3], title[3];  // ended by 0 where shorter
};
constexpr SpecialCase kSpecial[] = {
#include "lathe/text/chat/special_casing.inc"
};

utf8proc_category_t category(std::uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

std::uint32_t simple(std::uint32_t c, Case to) {
  const auto code = static_cast<utf8proc_int32_t>(c);
  switch (to) {
    case Case::upper:
      return static_cast<std::uint32_t>(utf8proc_toupper(code));
    case Case::lower:
      return static_cast<std::uint32_t>(utf8proc_tolower(code));
    case Case::title:
      break;
  }
  return static_cast<std::uint32_t>(utf8proc_totitle(code));
}

}  // namespace

bool is_space(std::uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_end(std::uint32_t c) {
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

Character character_at(std::string_view text, std::size_t at) {
  if (static_cast<unsigned char>(text[at]) < 0x80) return {static_cast<unsigned char>(text[at]), 1};
  const std::size_t size = tokenize::valid_char_size(text.substr(at));
  if (size == 0) return {0xFFFD, 1};
  return {tokenize::decode_valid(text.data() + at).code, size};
}

Character character_before(std::string_view text, std::size_t end) {
  for (std::size_t size = 1; size <= 4 && size <= end; ++size) {
    if ((static_cast<unsigned char>(text[end - size]) & 0xC0) == 0x80) continue;
    const Character c = character_at(text.substr(0, end), end - size);
    if (c.size == size) return c;
    break;
  }
  return {0xFFFD, 1};
}

std::size_t leading_spaces(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (!is_space(c.code)) break;
    at += c.size;
  }
  return at;
}

std::size_t trailing_spaces(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    const Character c = character_before(text, end);
    if (!is_space(c.code)) break;
    end -= c.size;
  }
  return text.size() - end;
}

std::size_t identifier_size(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Character c = character_at(text, at);
    const bool begins =
        c.code == '_' || is_letter(c.code) || category(c.code) == UTF8PROC_CATEGORY_NL;
    const auto kind = category(c.code);
    const bool continues = kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
                           kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_PC;
    if (!begins && (at == 0 || !continues)) break;
    at += c.size;
  }
  return at;
}

bool is_printable(std::uint32_t c) {
  if (c == ' ') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

void append_cased(std::uint32_t c, Case to, std::string& out) {
  if (to == Case::lower && c == 0x130) {
    out += "i\xCC\x87";
    return;
  }
  const auto* found =
      std::lower_bound(std::begin(kSpecial), std::end(kSpecial), c,
                       [](const SpecialCase& s, auto code) { return s.code < code; });
  if (to == Case::lower || found == std::end(kSpecial) || found->code != c)
    return tokenize::append_utf8(simple(c, to), out);
  for (const std::uint32_t part : to == Case::upper ? found->upper : found->title)
    if (part != 0) tokenize::append_utf8(part, out);
}

bool is_upper(std::uint32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(std::uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA;
}
bool is_title(std::uint32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool is_cased(std::uint32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

bool is_case_ignorable(std::uint32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 || c == 0x2019 ||
             c == 0x2024 || c == 0x2027;
  }
}

bool is_letter(std::uint32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_decimal(std::uint32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_alphanumeric(std::uint32_t c) {
  const auto kind = category(c);
  return is_letter(c) || kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL ||
         kind == UTF8PROC_CATEGORY_NO;
}

}  // namespace lathe::chat
