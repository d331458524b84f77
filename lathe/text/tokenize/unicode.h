// What a character is: UTF-8 and the Unicode properties that pre-tokenisers ask for.
//
// The tables are ours (docs/decisions/0010): they know the Unicode version that tokenizers and
// tiktoken know, which is not the one of the system's PCRE2.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace lathe::tokenize {

using CodePoint = std::uint32_t;

struct CodeRange {
  CodePoint first, last;  // both included
};

struct Script {
  std::string_view name;
  std::span<const CodeRange> ranges;
};

namespace tables {
#include "lathe/text/tokenize/unicode_tables.inc"
}

/// A set of bits that says which classes a character belongs to.
enum CharClass : std::uint8_t {
  kLetter = 1,     // \p{L}
  kNumber = 2,     // \p{N}
  kSpace = 4,      // \s
  kUpper = 8,      // \p{Lu} \p{Lt}
  kLower = 16,     // \p{Ll}
  kCaseless = 32,  // \p{Lm} \p{Lo} \p{M}
  kNewline = 64    // \r \n
};

namespace detail {
constexpr std::uint8_t class_of(tables::Category category) {
  using namespace tables;
  switch (category) {
    case kLl:
      return kLetter | kLower;
    case kLu:
    case kLt:
      return kLetter | kUpper;
    case kLm:
    case kLo:
      return kLetter | kCaseless;
    case kMc:
    case kMe:
    case kMn:
      return kCaseless;
    case kNd:
    case kNl:
    case kNo:
      return kNumber;
    case kZl:
    case kZp:
    case kZs:
    case kControlSpace:
      return kSpace;
    default:
      return 0;
  }
}

struct ClassTables {
  std::uint8_t by_category[tables::kCategories] = {};
  std::uint8_t ascii[128] = {};

  constexpr ClassTables() {
    for (int i = 0; i < tables::kCategories; ++i)
      by_category[i] = class_of(static_cast<tables::Category>(i));
    for (int c = 0; c < 128; ++c) ascii[c] = by_category[tables::kBlocks[c]];
    ascii['\r'] |= kNewline;
    ascii['\n'] |= kNewline;
  }
};
inline constexpr ClassTables kClassTables;
}  // namespace detail

/// The general category. c < 0x110000.
inline tables::Category category(CodePoint c) {
  constexpr CodePoint kMask = (1u << tables::kBlockShift) - 1;
  const std::uint32_t block = tables::kBlockIndex[c >> tables::kBlockShift];
  return static_cast<tables::Category>(
      tables::kBlocks[(block << tables::kBlockShift) | (c & kMask)]);
}

/// The CharClass bits. c < 0x110000.
inline std::uint8_t char_class(CodePoint c) {
  if (c < 128) return detail::kClassTables.ascii[c];
  return detail::kClassTables.by_category[category(c)];
}

struct Decoded {
  CodePoint code;
  std::uint32_t size;  // bytes
};

/// The character at `at`. REQUIRES: `at` starts a character of valid UTF-8.
inline Decoded decode_valid(const char* at) {
  const auto* b = reinterpret_cast<const unsigned char*>(at);
  if (b[0] < 0x80) return {b[0], 1};
  if (b[0] < 0xE0) return {(b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu), 2};
  if (b[0] < 0xF0) return {(b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu), 3};
  return {(b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu), 4};
}

/// Bytes of the character that starts `text`, 0 where that is not UTF-8 (overlong forms, surrogates
/// and what lies above U+10FFFF included) or is cut off.
std::size_t valid_char_size(std::string_view text);

/// Length of the longest prefix of `text` that is valid UTF-8.
std::size_t valid_prefix(std::string_view text);

/// Length of the longest prefix in which no character is valid UTF-8.
std::size_t invalid_prefix(std::string_view text);

/// Bytes at the end of `text` (at most three) that more bytes could complete to a character.
std::size_t unfinished_suffix(std::string_view text);

/// Appends the character. c < 0x110000.
void append_utf8(CodePoint c, std::string& out);

}  // namespace lathe::tokenize
