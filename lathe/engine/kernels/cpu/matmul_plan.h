// How a product is cut: into chunks (outputs that one thread finishes alone) and, inside a chunk,
// into ranges of k whose packed b stays in the second-level cache. None of it changes a bit of the
// result.
#pragma once

#include <algorithm>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/matmul_tile.h"

namespace lathe::kernels::LATHE_ISA {

/// How an operand reaches the tiles.
enum class Access {
  in_place,      // a: read where it lies; b: panels of pack_b
  copy,          // a: lane by lane
  side_by_side,  // lanes are adjacent: vector copies
  transpose,     // b: k is adjacent, blocks are transposed
  plain,         // neither: element by element
};

/// The product in words, without strides.
struct Problem {
  std::int64_t batch, rows, columns, words;
  Access a, b;
  bool partial_elsewhere;  // c cannot hold f32 sums between ranges of k
};

struct Plan {
  std::int64_t range = 0, ranges = 1;         // of k, in words
  std::int64_t strip_panels = 1, strips = 1;  // of 16 columns
  std::int64_t block_rows = 1, blocks = 1;    // of rows
  std::int64_t chunks = 0, chunks_a_task = 1;
  std::int64_t group_rows = 0;  // rows of a prepared at a time
  std::int64_t b_bytes = 0, a_bytes = 0, bias_bytes = 0, partial_bytes = 0;

  std::int64_t thread_bytes() const { return b_bytes + a_bytes + bias_bytes + partial_bytes; }
};

constexpr std::int64_t kMaxRange = 512;  // words of k: 16 KB of a tile's a, first-level cache
constexpr std::int64_t kStripWords = 256 * 1024;    // packed b of a chunk: 1 MB
constexpr std::int64_t kFewRows = 2 * kTileRows;    // up to here packed b is used once or twice ...
constexpr std::int64_t kFewRowsWords = 6 * 1024;    // ... and stays in the first-level cache
constexpr std::int64_t kGroupRows = 8 * kTileRows;  // that share a fetched tile of b
constexpr std::int64_t kPartialRows = 384;
constexpr std::int64_t kSmall = 20000;  // vector multiplies, about 5 us: not worth a second thread

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

/// Estimated vector operations to pack 16 words from beyond the caches (0.1 to 0.4 ns a word).
inline std::int64_t packing_cost(Access access) {
  switch (access) {
    case Access::in_place:
      return 0;
    case Access::copy:
      return 6;
    case Access::side_by_side:
      return 12;
    case Access::transpose:
      return 10;
    default:
      return 80;
  }
}

/// Estimated time of the slowest thread, in quarters of a vector operation; with several threads a
/// quarter of a chunk is added for hiccups, so that chunks do not grow as large as they can.
inline std::int64_t estimate(const Problem& p, std::int64_t panels, std::int64_t rows,
                             int threads) {
  const std::int64_t strips = ceil_div(ceil_div(p.columns, kLanes), panels);
  const std::int64_t chunks = p.batch * strips * ceil_div(p.rows, rows);
  const std::int64_t chunk =
      16 * rows * panels + 16 * panels * packing_cost(p.b) + rows * packing_cost(p.a);
  return (4 * ceil_div(chunks, threads) + (threads > 1 ? 1 : 0)) * chunk;
}

inline void choose_chunks(const Problem& p, int threads, Plan& plan) {
  const std::int64_t panels = ceil_div(p.columns, kLanes);
  const std::int64_t budget = p.rows <= kFewRows ? kFewRowsWords : kStripWords;
  const std::int64_t most = std::max<std::int64_t>(
      kTileVectors, budget / (std::max<std::int64_t>(plan.range, 1) * kLanes));
  const bool limited = p.partial_elsewhere && plan.ranges > 1;
  std::int64_t best = -1;
  for (std::int64_t strip = kTileVectors; strip <= round_up(panels, kTileVectors);
       strip += kTileVectors) {
    if (strip > most) break;
    for (const std::int64_t cuts : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128}) {
      const std::int64_t rows = round_up(ceil_div(p.rows, cuts), kTileRows);
      if (limited && rows > kPartialRows && cuts < 128) continue;
      const std::int64_t cost = estimate(p, strip, rows, threads);
      if (best < 0 || cost < best) {
        best = cost;
        plan.strip_panels = strip;
        plan.block_rows = rows;
      }
      if (rows == kTileRows) break;
    }
  }
  plan.strips = ceil_div(panels, plan.strip_panels);
  plan.blocks = ceil_div(p.rows, plan.block_rows);
}

inline Plan make_plan(const Problem& p) {
  Plan plan;
  if (p.batch * p.rows * p.columns == 0) return plan;
  const bool few = p.rows <= kFewRows;
  const std::int64_t longest = few ? kFewRowsWords / (kTileVectors * kLanes) : kMaxRange;
  plan.ranges = std::max<std::int64_t>(1, ceil_div(p.words, longest));
  plan.range = std::min(p.words, round_up(ceil_div(p.words, plan.ranges), kLanes));
  plan.ranges = p.words == 0 ? 1 : ceil_div(p.words, plan.range);
  const bool small = p.batch * p.rows * ceil_div(p.columns, kLanes) * p.words < kSmall;
  choose_chunks(p, small ? 1 : thread_count(), plan);
  plan.chunks = p.batch * plan.strips * plan.blocks;
  plan.chunks_a_task = small ? plan.chunks : 1;
  plan.group_rows =
      p.a == Access::in_place ? plan.block_rows : std::min(plan.block_rows, 8L * kTileRows);
  const std::int64_t columns = plan.strip_panels * kLanes;
  if (p.b != Access::in_place) plan.b_bytes = plan.range * columns * 4;
  // Rows of a lie range + 16 words apart, or in tiles of 8 lanes.
  if (p.a != Access::in_place)
    plan.a_bytes = round_up(plan.group_rows, kTileRows) / kTileRows * 8 *
                   round_up(plan.range + kLanes, kLanes) * 4;
  plan.bias_bytes = columns * 4;
  if (p.partial_elsewhere && plan.ranges > 1) plan.partial_bytes = plan.block_rows * columns * 4;
  return plan;
}

}  // namespace lathe::kernels::LATHE_ISA
