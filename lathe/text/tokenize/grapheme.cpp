#include "lathe/text/tokenize/grapheme.h"

#include "lathe/text/tokenize/char_sets.h"

namespace lathe::tokenize {
namespace {

enum class Break : std::uint8_t {
  kOther,
  kCr,
  kLf,
  kControl,
  kExtend,
  kZwj,
  kRegional,
  kPrepend,
  kSpacingMark,
  kL,
  kV,
  kT,
  kLv,
  kLvt
};

constexpr CharSet kControls{tables::kGControlRanges}, kExtends{tables::kGExtendRanges},
    kPrepends{tables::kGPrependRanges}, kSpacingMarks{tables::kGSpacingMarkRanges},
    kPictographic{tables::kGPictographicRanges}, kLinkers{tables::kGLinkerRanges},
    kConsonants{tables::kGConsonantRanges}, kHangulL{tables::kGLRanges},
    kHangulV{tables::kGVRanges}, kHangulT{tables::kGTRanges};

Break break_of(CodePoint c) {
  if (c < 128) {
    if (c == '\r') return Break::kCr;
    if (c == '\n') return Break::kLf;
    return c < 32 || c == 127 ? Break::kControl : Break::kOther;
  }
  if (c < 0x300 && c != 0xAD && c >= 0xA0) return Break::kOther;
  if (c == 0x200D) return Break::kZwj;
  if (c >= 0xAC00 && c <= 0xD7A3) return (c - 0xAC00) % 28 == 0 ? Break::kLv : Break::kLvt;
  if (c >= 0x1F1E6 && c <= 0x1F1FF) return Break::kRegional;
  if (kControls.has(c)) return Break::kControl;
  if (kExtends.has(c)) return Break::kExtend;
  if (kSpacingMarks.has(c)) return Break::kSpacingMark;
  if (kPrepends.has(c)) return Break::kPrepend;
  if (kHangulL.has(c)) return Break::kL;
  if (kHangulV.has(c)) return Break::kV;
  if (kHangulT.has(c)) return Break::kT;
  return Break::kOther;
}

/// What the rules ask about the characters before.
struct State {
  Break last = Break::kOther;
  bool odd_regional =
      false;  // an odd number of regional indicators in a row, the last one included
  bool pictographic = false;         // Extended_Pictographic Extend*
  bool joined_pictographic = false;  // the same, then ZWJ
  bool consonant = false;            // a conjunct: consonant, then linkers or extends
  bool linked = false;               // with a linker among these

  void add(CodePoint c, Break kind) {
    const bool extends = kind == Break::kExtend || kind == Break::kZwj;
    joined_pictographic = pictographic && kind == Break::kZwj;
    pictographic =
        (kind == Break::kOther && kPictographic.has(c)) || (pictographic && kind == Break::kExtend);
    odd_regional = kind == Break::kRegional && !odd_regional;
    if (kConsonants.has(c)) {
      consonant = true;
      linked = false;
    } else if (consonant && kLinkers.has(c)) {
      linked = true;
    } else if (!extends) {
      consonant = linked = false;
    }
    last = kind;
  }
};

bool hangul_joins(Break a, Break b) {
  switch (a) {
    case Break::kL:
      return b == Break::kL || b == Break::kV || b == Break::kLv || b == Break::kLvt;
    case Break::kLv:
    case Break::kV:
      return b == Break::kV || b == Break::kT;
    case Break::kLvt:
    case Break::kT:
      return b == Break::kT;
    default:
      return false;
  }
}

bool joins(const State& before, CodePoint c, Break kind) {
  if (before.last == Break::kCr) return kind == Break::kLf;                               // GB3, 4
  if (before.last == Break::kLf || before.last == Break::kControl) return false;          // GB4
  if (kind == Break::kCr || kind == Break::kLf || kind == Break::kControl) return false;  // GB5
  if (hangul_joins(before.last, kind)) return true;                                       // GB6-8
  if (kind == Break::kExtend || kind == Break::kZwj || kind == Break::kSpacingMark)
    return true;                                                        // GB9, 9a
  if (before.last == Break::kPrepend) return true;                      // GB9b
  if (before.linked && kConsonants.has(c)) return true;                 // GB9c
  if (before.joined_pictographic && kPictographic.has(c)) return true;  // GB11
  return before.odd_regional && kind == Break::kRegional;               // GB12, 13
}

}  // namespace

std::size_t GraphemeScan::next() {
  State state;
  const std::size_t begin = at_;
  while (at_ < text_.size()) {
    const Decoded c = decode_valid(text_.data() + at_);
    const Break kind = break_of(c.code);
    if (at_ != begin && !joins(state, c.code, kind)) break;
    state.add(c.code, kind);
    at_ += c.size;
  }
  return at_;
}

}  // namespace lathe::tokenize
