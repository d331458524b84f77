#include "lathe/text/tokenize/normalize.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "lathe/text/tokenize/char_sets.h"

namespace lathe::tokenize {
namespace {

constexpr CodePoint kHangulS = 0xAC00, kHangulL = 0x1100, kHangulV = 0x1161, kHangulT = 0x11A7;
constexpr CodePoint kCountL = 19, kCountV = 21, kCountT = 28, kCountS = kCountL * kCountV * kCountT;

struct Piece {
  CodePoint code;
  std::uint32_t combining;  // canonical combining class
};

std::uint32_t combining_class(CodePoint c) {
  const auto* end = std::end(tables::kCombining);
  const auto* at = std::lower_bound(std::begin(tables::kCombining), end, c,
                                    [](const auto& row, CodePoint code) { return row[0] < code; });
  return at != end && (*at)[0] == c ? (*at)[1] : 0;
}

void push(CodePoint c, std::vector<Piece>& out) { out.push_back({c, combining_class(c)}); }

void decompose(CodePoint c, bool compatibility, std::vector<Piece>& out) {
  if (c >= kHangulS && c < kHangulS + kCountS) {
    const CodePoint i = c - kHangulS;
    push(kHangulL + i / (kCountV * kCountT), out);
    push(kHangulV + i % (kCountV * kCountT) / kCountT, out);
    if (i % kCountT != 0) push(kHangulT + i % kCountT, out);
    return;
  }
  if (compatibility) {
    const std::span<const CodePoint> parts = compatibility_decomposition(c);
    for (const CodePoint part : parts) push(part, out);
    if (!parts.empty()) return;
  }
  const auto* end = std::end(tables::kDecompositions);
  const auto* at = std::lower_bound(std::begin(tables::kDecompositions), end, c,
                                    [](const auto& row, CodePoint code) { return row[0] < code; });
  if (at == end || (*at)[0] != c) return push(c, out);
  for (int i = 1; i < 5 && (*at)[i] != 0; ++i) push((*at)[i], out);
}

/// The character that two make together, 0 where they make none.
CodePoint composed(CodePoint a, CodePoint b) {
  if (a >= kHangulL && a < kHangulL + kCountL && b >= kHangulV && b < kHangulV + kCountV)
    return kHangulS + ((a - kHangulL) * kCountV + (b - kHangulV)) * kCountT;
  if (a >= kHangulS && a < kHangulS + kCountS && (a - kHangulS) % kCountT == 0 && b > kHangulT &&
      b < kHangulT + kCountT)
    return a + (b - kHangulT);
  const auto* end = std::end(tables::kCompositions);
  const auto* at = std::lower_bound(std::begin(tables::kCompositions), end, std::pair(a, b),
                                    [](const auto& row, const std::pair<CodePoint, CodePoint>& k) {
                                      return std::pair(row[0], row[1]) < k;
                                    });
  return at != end && (*at)[0] == a && (*at)[1] == b ? (*at)[2] : 0;
}

/// Canonical order: marks that follow one another by class, stable.
void order_marks(std::vector<Piece>& pieces) {
  const auto is_mark = [](const Piece& p) { return p.combining != 0; };
  for (auto begin = pieces.begin(); begin != pieces.end();) {
    begin = std::find_if(begin, pieces.end(), is_mark);
    const auto end = std::find_if_not(begin, pieces.end(), is_mark);
    std::stable_sort(begin, end,
                     [](const Piece& a, const Piece& b) { return a.combining < b.combining; });
    begin = end;
  }
}

/// Composes in place: each starter takes the characters behind it that are not blocked.
void compose(std::vector<Piece>& pieces) {
  std::size_t starter = pieces.size(), out = 0;
  for (const Piece piece : pieces) {
    if (starter < out) {
      const bool adjacent = starter + 1 == out;
      const bool blocked = !adjacent && pieces[out - 1].combining >= piece.combining;
      const CodePoint both = blocked ? 0 : composed(pieces[starter].code, piece.code);
      if (both != 0) {
        pieces[starter].code = both;
        continue;
      }
    }
    if (piece.combining == 0) starter = out;
    pieces[out++] = piece;
  }
  pieces.resize(out);
}

}  // namespace

bool is_surely_nfc(std::string_view text) {
  // U+0300 and above start with bytes from 0xCC on.
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

std::string normalized(std::string_view text, Form form) {
  const bool composes = form == Form::kNfc || form == Form::kNfkc;
  const bool compatibility = form == Form::kNfkc || form == Form::kNfkd;
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 128; });
  if (ascii || (form == Form::kNfc && is_surely_nfc(text))) return std::string(text);
  std::vector<Piece> pieces;
  pieces.reserve(text.size());
  for (std::size_t p = 0; p < text.size();) {
    const Decoded c = decode_valid(text.data() + p);
    decompose(c.code, compatibility, pieces);
    p += c.size;
  }
  order_marks(pieces);
  if (composes) compose(pieces);
  std::string out;
  out.reserve(text.size());
  for (const Piece piece : pieces) append_utf8(piece.code, out);
  return out;
}

}  // namespace lathe::tokenize
