#include "lathe/life/runs/progress_line.h"

#include <algorithm>
#include <cmath>

#include "lathe/life/runs/text.h"

namespace lathe::runs {
namespace {

constexpr int kLeastBar = 8, kMostBar = 28;

struct Piece {
  std::string before, value, after;

  int width() const { return columns(before) + columns(value) + columns(after); }
};

Piece piece_of(const Fact& fact, bool brief) {
  const std::string& label = brief && !fact.short_label.empty() ? fact.short_label : fact.label;
  const bool short_unit = brief && (!fact.short_label.empty() || !fact.short_unit.empty());
  return {label.empty() ? "" : label + " ", fact.value, short_unit ? fact.short_unit : fact.unit};
}

int width_of(const std::vector<Piece>& pieces, int gap) {
  int total = 0;
  for (const Piece& p : pieces) total += p.width() + gap;
  return total - (pieces.empty() ? 0 : gap);
}

std::string bar(int width, double share) {
  const double filled = std::clamp(share, 0.0, 1.0) * width;
  const int whole = static_cast<int>(filled);
  std::string out;
  for (int i = 0; i < whole; ++i) out += "━";
  const bool half = whole < width && filled - whole >= 0.5;
  if (half) out += "╸";
  for (int i = whole + (half ? 1 : 0); i < width; ++i) out += "─";
  return out;
}

}  // namespace

std::string fit_line(const std::vector<Fact>& facts, int width, double share) {
  std::vector<Fact> kept = facts;
  std::vector<Piece> pieces;
  bool brief = false;
  for (;;) {
    pieces.clear();
    for (const Fact& fact : kept) pieces.push_back(piece_of(fact, brief));
    if (width_of(pieces, brief ? 1 : 2) <= width || kept.size() <= 1) break;
    if (!brief) {
      brief = true;
      continue;
    }
    kept.erase(std::min_element(kept.begin(), kept.end(),
                                [](const Fact& a, const Fact& b) { return a.weight < b.weight; }));
  }
  const int gap = brief ? 1 : 2;
  const int room = width - width_of(pieces, gap) - gap;
  const bool with_bar = share >= 0 && room >= kLeastBar && pieces.size() > 1;
  if (width_of(pieces, gap) > width) return shorten(pieces[0].value, width);
  std::string out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) out.append(static_cast<std::size_t>(gap), ' ');
    const Piece& p = pieces[i];
    out += p.before + p.value + p.after;
    if (i == 0 && with_bar) {
      out.append(static_cast<std::size_t>(gap), ' ');
      out += bar(std::min(room, kMostBar), share);
    }
  }
  return out;
}

}  // namespace lathe::runs
