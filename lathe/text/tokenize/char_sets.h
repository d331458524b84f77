// Sets of characters as the parts of Hugging Face tokenizers see them; each part has its own.
#pragma once

#include <span>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

namespace tables {
#include "lathe/text/tokenize/unicode_mappings.inc"
}

/// A set over sorted ranges.
class CharSet {
 public:
  constexpr explicit CharSet(std::span<const CodeRange> ranges) : ranges_(ranges) {
    for (const CodeRange range : ranges)
      for (CodePoint c = range.first; c <= range.last && c < 128; ++c) ascii_[c] = true;
  }

  bool has(CodePoint c) const { return c < 128 ? ascii_[c] : search(c); }

 private:
  bool search(CodePoint c) const {
    std::size_t low = 0, high = ranges_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (c > ranges_[middle].last) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < ranges_.size() && ranges_[low].first <= c;
  }

  std::span<const CodeRange> ranges_;
  bool ascii_[128] = {};
};

inline constexpr CharSet kWhite{tables::kWhiteRanges};                   // white space
inline constexpr CharSet kWordChars{tables::kWordCharRanges};            // \w of Whitespace
inline constexpr CharSet kWordNeighbours{tables::kWordNeighbourRanges};  // \w of single_word
inline constexpr CharSet kPunctuation{tables::kPunctuationRanges};
inline constexpr CharSet kBertControl{tables::kControlRanges};  // what clean_text drops
inline constexpr CharSet kChinese{tables::kChineseRanges};      // handle_chinese_chars
inline constexpr CharSet kNonspacingMarks{tables::kNonspacingMarkRanges};
inline constexpr CharSet kCombiningMarks{tables::kCombiningMarkRanges};  // StripAccents
inline constexpr CharSet kNmtRemoved{tables::kNmtRemovedRanges};
inline constexpr CharSet kNmtSpaces{tables::kNmtSpaceRanges};

/// What the character becomes in lower case, one to three characters; empty where it stays.
std::span<const CodePoint> lower_case(CodePoint c);

/// The full compatibility decomposition where it is not the canonical one; empty otherwise.
std::span<const CodePoint> compatibility_decomposition(CodePoint c);

/// The number of the character's script, 0 for one that joins any.
std::uint32_t script_of(CodePoint c);

}  // namespace lathe::tokenize
