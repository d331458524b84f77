#include "lathe/text/tokenize/unicode.h"

#include <algorithm>

namespace lathe::tokenize {
namespace {

bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

std::size_t valid_char_size(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if (!continues(at(i))) return 0;
  if (lead == 0xE0 && at(1) < 0xA0) return 0;   // overlong
  if (lead == 0xED && at(1) >= 0xA0) return 0;  // surrogates
  if (lead == 0xF0 && at(1) < 0x90) return 0;   // overlong
  if (lead == 0xF4 && at(1) >= 0x90) return 0;  // above U+10FFFF
  return size;
}

std::size_t valid_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    while (i + 8 <= text.size()) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + i, 8);
      word &= 0x8080808080808080u;
      if (word != 0) {
        i += static_cast<std::size_t>(std::countr_zero(word)) / 8;
        break;
      }
      i += 8;
    }
    if (i >= text.size()) break;
    const std::size_t size = valid_char_size(text.substr(i));
    if (size == 0) break;
    i += size;
  }
  return i;
}

std::size_t invalid_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && valid_char_size(text.substr(i)) == 0) ++i;
  return i;
}

std::size_t unfinished_suffix(std::string_view text) {
  static constexpr std::string_view kEndings[] = {"\x80\x80\x80", "\xBF\xBF\xBF"};
  for (std::size_t n = std::min<std::size_t>(3, text.size()); n > 0; --n) {
    const std::string_view tail = text.substr(text.size() - n);
    if (continues(static_cast<unsigned char>(tail[0])) || valid_char_size(tail) != 0) continue;
    for (const std::string_view ending : kEndings) {
      for (std::size_t more = 1; more <= 3; ++more)
        if (valid_char_size(std::string(tail) += ending.substr(0, more)) == n + more) return n;
    }
  }
  return 0;
}

void append_utf8(CodePoint c, std::string& out) {
  const auto put = [&](CodePoint byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)),
        put(0x80 | (c & 0x3F));
  }
}

}  // namespace lathe::tokenize
