// How a product is cut: into chunks (outputs that one thread finishes alone); a chunk into passes
// over k, for which b is packed; a pass into groups of rows; a group into ranges of k, so that the
// group's sums stay near while they grow. None of it changes a bit of the result.
#pragma once

#include <algorithm>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/matmul_rows.h"

namespace lathe::kernels::LATHE_ISA {

/// How an operand reaches the tiles.
enum class Access {
  in_place,      // a: read where it lies; b: panels of pack_b
  copy,          // a: lane by lane
  side_by_side,  // lanes are adjacent: vector copies
  transpose,     // b: k is adjacent, blocks are transposed
  coded,         // b: bf16 at twelve bits, pairs of panels (matmul_codes.h)
  plain,         // neither: element by element
};

/// The product in words, without strides.
struct Problem {
  std::int64_t batch, rows, columns, words;
  Access a, b;
  bool partial_elsewhere;  // c cannot hold f32 sums between ranges of k
  bool few_rows;           // b goes straight to registers (matmul_rows.h)
};

struct Plan {
  std::int64_t range = 0, ranges = 1;         // of k, in words
  std::int64_t pass_ranges = 1, passes = 1;   // whose packed b is held together
  std::int64_t strip_panels = 1, strips = 1;  // of 16 columns
  std::int64_t block_rows = 1, blocks = 1;    // of rows
  std::int64_t group_rows = 0;                // of a block, that share a fetched tile of b
  std::int64_t chunks = 0, chunks_a_task = 1;
  std::int64_t b_bytes = 0, a_bytes = 0, bias_bytes = 0, partial_bytes = 0;

  std::int64_t thread_bytes() const { return b_bytes + a_bytes + bias_bytes + partial_bytes; }
};

constexpr std::int64_t kMaxRange = 640;           // words of k: a tile's a takes 20 KB
constexpr std::int64_t kStripWords = 384 * 1024;  // packed b of a pass: 1.5 MB of a shared cache
constexpr std::int64_t kFewRows = 2 * kTileRows;  // up to here packed b is used once or twice ...
constexpr std::int64_t kFewRowsWords = 6 * 1024;  // ... and stays in the first-level cache
#if defined(__AVX512F__)
constexpr std::int64_t kGroupRows = 8 * kTileRows;  // a of a group stays in the second-level cache
constexpr std::int64_t kCopyColumns = 1 << 30;      // never
#else
constexpr std::int64_t kGroupRows = 16 * kTileRows;
constexpr std::int64_t kCopyColumns = 256;  // from here on rows of a are copied side by side: tiles
                                            // of 16 columns read a often enough to pay for it
#endif
constexpr std::int64_t kPartialRows = 384;
constexpr std::int64_t kPiece = 512 * 1024;      // bytes of b that few rows read: at most ...
constexpr std::int64_t kLeastPiece = 64 * 1024;  // ... and at least
constexpr std::int64_t kSmall = 20000;  // vector multiplies, about 5 us: not worth a second thread

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

/// Estimated vector operations to bring 16 words from beyond the caches and pack them (0.1 to 0.4
/// ns a word).
inline double packing_cost(Access access) {
  switch (access) {
    case Access::in_place:
      return 2;
    case Access::copy:
      return 16;
    case Access::side_by_side:
      return 16;
    case Access::transpose:
    case Access::coded:
      return 14;
    default:
      return 80;
  }
}

/// Panels of b that are packed at once: strips are multiples of it.
inline std::int64_t panels_together(const Problem& p) {
  return std::max<std::int64_t>(kTileVectors, p.b == Access::coded ? 2 : 1);
}

/// Ranges of k whose b fits the budget, for strips of so many panels.
inline std::int64_t ranges_of_a_pass(const Plan& plan, std::int64_t panels, std::int64_t budget) {
  const std::int64_t words = std::max<std::int64_t>(plan.range, 1) * panels * kLanes;
  return std::clamp<std::int64_t>(budget / words, 1, plan.ranges);
}

/// Estimated time of the slowest thread; with several threads a thirty-second of a chunk is added
/// for hiccups, so that chunks do not grow as large as they can.
inline double estimate(const Problem& p, const Plan& plan, int threads) {
  const auto words = static_cast<double>(p.words), rows = static_cast<double>(plan.block_rows);
  const auto panels = static_cast<double>(plan.strip_panels);
  const double chunk = words * rows * panels + words * panels * packing_cost(p.b) +
                       words * rows * packing_cost(p.a) / kLanes +
                       16.0 * rows * panels * static_cast<double>(plan.passes);  // sums in and out
  const std::int64_t waves = ceil_div(p.batch * plan.strips * plan.blocks, threads);
  return (static_cast<double>(waves) + (threads > 1 ? 1.0 / 32 : 0.0)) * chunk;
}

/// Few rows: what counts is to read b in long pieces, two or more for each thread: only the first
/// 16 rows of a piece are not fetched while others are multiplied. Every thread gets as much: what
/// one reads at the end alone, it reads slowly.
inline void choose_pieces(const Problem& p, Plan& plan) {
  const std::int64_t together = panels_together(p), threads = thread_count();
  const std::int64_t panels = round_up(ceil_div(p.columns, kLanes), together);
  const std::int64_t bytes = panels * p.words * kLanes * 4;
  const std::int64_t most = std::max<std::int64_t>(2, ceil_div(bytes, threads * kPiece));
  std::int64_t best = panels;  // that the slowest thread reads
  plan.strip_panels = panels;
  for (std::int64_t each = 1; each <= most; ++each) {
    const std::int64_t strip = round_up(ceil_div(panels, each * threads), together);
    if (strip * each > best || bytes < kLeastPiece * each * threads) continue;
    best = strip * each;
    plan.strip_panels = strip;
  }
  plan.strips = ceil_div(panels, plan.strip_panels);
  plan.block_rows = round_up(p.rows, kTileRows);
}

/// Tries strips and blocks of many sizes.
inline void choose_chunks(const Problem& p, int threads, Plan& plan) {
  const std::int64_t panels = ceil_div(p.columns, kLanes);
  const std::int64_t budget = p.rows <= kFewRows ? kFewRowsWords : kStripWords;
  Plan best = plan;
  double best_cost = -1;
  const std::int64_t step = panels_together(p);
  for (std::int64_t strip = step; strip < panels + step; strip += step) {
    if (strip > step && strip * kLanes * plan.range > budget) break;
    plan.strip_panels = strip;
    plan.strips = ceil_div(panels, strip);
    plan.pass_ranges = ranges_of_a_pass(plan, strip, budget);
    plan.passes = ceil_div(plan.ranges, plan.pass_ranges);
    const bool limited = p.partial_elsewhere && plan.passes > 1;
    for (const std::int64_t cuts : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128}) {
      plan.block_rows = round_up(ceil_div(p.rows, cuts), kTileRows);
      if (limited) plan.block_rows = std::min(plan.block_rows, kPartialRows);
      plan.blocks = ceil_div(p.rows, plan.block_rows);
      const double cost = estimate(p, plan, threads);
      if (best_cost < 0 || cost < best_cost) best_cost = cost, best = plan;
      if (plan.block_rows == kTileRows) break;
    }
  }
  plan = best;
}

inline Plan make_plan(const Problem& p) {
  Plan plan;
  if (p.batch * p.rows * p.columns == 0) return plan;
  plan.ranges = p.few_rows ? 1 : std::max<std::int64_t>(1, ceil_div(p.words, kMaxRange));
  plan.range = std::min(p.words, round_up(ceil_div(p.words, plan.ranges), kLanes));
  plan.ranges = p.words == 0 ? 1 : ceil_div(p.words, plan.range);
  const bool small = p.batch * p.rows * ceil_div(p.columns, kLanes) * p.words < kSmall;
  if (p.few_rows) {
    choose_pieces(p, plan);
  } else {
    choose_chunks(p, small ? 1 : thread_count(), plan);
  }
  plan.chunks = p.batch * plan.strips * plan.blocks;
  plan.chunks_a_task = small && !p.few_rows ? plan.chunks : 1;
  plan.group_rows = std::min(plan.block_rows, kGroupRows);
  const std::int64_t columns = plan.strip_panels * kLanes;
  if (p.b != Access::in_place && !p.few_rows)
    plan.b_bytes = plan.pass_ranges * plan.range * columns * 4;
  // Rows of a lie range + 16 words apart, or in tiles of 8 lanes.
  if (p.a != Access::in_place)
    plan.a_bytes = ceil_div(plan.group_rows, kTileRows) * kGroupLanes *
                   round_up(plan.range + kLanes, kLanes) * 4;
  plan.bias_bytes = columns * 4;
  if (p.partial_elsewhere && plan.ranges > 1)
    plan.partial_bytes = (plan.passes > 1 ? plan.block_rows : plan.group_rows) * columns * 4;
  return plan;
}

}  // namespace lathe::kernels::LATHE_ISA
