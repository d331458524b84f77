// Steps shared by the hand-written splitters: runs of characters of a class, in valid UTF-8.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "lathe/text/tokenize/splitter.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

class Scan {
 public:
  explicit Scan(std::string_view text) : data_(text.data()), size_(text.size()) {}

  struct Char {
    std::uint8_t bits;   // CharClass
    std::uint32_t size;  // bytes
    bool is(std::uint8_t wanted) const { return (bits & wanted) != 0; }
    /// Neither space, letter nor number: [^\s\p{L}\p{N}].
    bool is_other() const { return !is(kSpace | kLetter | kNumber); }
  };

  std::size_t size() const { return size_; }
  bool at_end(std::size_t p) const { return p >= size_; }
  char byte(std::size_t p) const { return data_[p]; }

  /// REQUIRES: p < size().
  Char at(std::size_t p) const {
    const auto b = static_cast<unsigned char>(data_[p]);
    if (b < 128) return {detail::kClassTables.ascii[b], 1};
    const Decoded d = decode_valid(data_ + p);
    return {char_class(d.code), d.size};
  }

  /// The end of the run of characters of any of these classes.
  std::size_t run(std::size_t p, std::uint8_t classes) const {
    while (p < size_) {
      const Char c = at(p);
      if (!c.is(classes)) break;
      p += c.size;
    }
    return p;
  }

  /// The end of the run of characters of none of these classes.
  std::size_t run_of_none(std::size_t p, std::uint8_t classes) const {
    while (p < size_) {
      const Char c = at(p);
      if (c.is(classes)) break;
      p += c.size;
    }
    return p;
  }

  /// \s+(?!\S)|\s+ at p, which is a space: the run without its last character, which goes with the
  /// word behind it.
  std::size_t spaces(std::size_t p) const {
    std::size_t last = p, end = p;
    while (end < size_) {
      const Char c = at(end);
      if (!c.is(kSpace)) break;
      last = end;
      end += c.size;
    }
    return end == size_ || last == p ? end : last;
  }

  /// \s*[\r\n]+|\s+(?!\S)|\s+ at p, which is a space.
  std::size_t spaces_or_lines(std::size_t p) const {
    std::size_t last = p, end = p, after_line = 0;
    while (end < size_) {
      const Char c = at(end);
      if (!c.is(kSpace)) break;
      last = end;
      end += c.size;
      if (c.is(kNewline)) after_line = end;
    }
    if (after_line != 0) return after_line;
    return end == size_ || last == p ? end : last;
  }

  /// (?i:'s|'t|'re|'ve|'m|'ll|'d) at p: its bytes, 0 where there is none. U+017F folds to s.
  std::size_t any_case_contraction(std::size_t p) const {
    if (p + 1 >= size_ || data_[p] != '\'') return 0;
    const auto lower = [&](std::size_t i) { return static_cast<char>(data_[i] | 0x20); };
    switch (lower(p + 1)) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return is_ascii_letter(p + 1) ? 2 : 0;
      case 'r':
      case 'v':
        return pair(p, 'e') ? 3 : 0;
      case 'l':
        return pair(p, 'l') ? 3 : 0;
      default:
        break;
    }
    return std::string_view(data_ + p + 1, std::min<std::size_t>(2, size_ - p - 1)) == "\xC5\xBF"
               ? 3
               : 0;
  }

  /// Adds the pieces that `next(scan, begin) -> end` finds.
  template <typename Next>
  static void pieces(std::string_view text, SpanSink& sink, const Next& next) {
    const Scan scan(text);
    for (std::size_t p = 0; p < text.size();) {
      const std::size_t end = next(scan, p);
      sink.add(p, end);
      p = end;
    }
    sink.flush();
  }

 private:
  bool is_ascii_letter(std::size_t p) const {
    const auto b = static_cast<unsigned char>(data_[p]);
    return b < 128 && (detail::kClassTables.ascii[b] & kLetter) != 0;
  }
  bool pair(std::size_t p, char second) const {
    return p + 2 < size_ && is_ascii_letter(p + 1) && is_ascii_letter(p + 2) &&
           (data_[p + 2] | 0x20) == second;
  }

  const char* data_;
  std::size_t size_;
};

}  // namespace lathe::tokenize
