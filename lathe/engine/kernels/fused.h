// What a product does for the ops next to it, inside its own parallel regions: rows that it is
// about to read are made first, tiles that it has just written are gone on with while the caches
// hold them.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/engine/kernels/math.h"

namespace lathe::kernels {

/// Makes rows [begin, end) of the first operand. A product that has one calls it for every row
/// once, on any thread, before it reads the row.
struct RowsBefore {
  void (*make)(const void* self, std::int64_t begin, std::int64_t end) noexcept = nullptr;
  const void* self = nullptr;

  LATHE_INLINE void operator()(std::int64_t begin, std::int64_t end) const {
    if (make != nullptr && begin < end) make(self, begin, end);
  }
};

/// Part of the results of a product.
struct OutputTile {
  std::int64_t row = 0, rows = 0, column = 0, columns = 0;
};

/// Goes on with finished results. A product that has one calls it for disjoint tiles, which cover
/// its results, on any thread, when all of a tile is stored.
struct TileAfter {
  void (*run)(const void* self, const OutputTile& tile) noexcept = nullptr;
  const void* self = nullptr;

  LATHE_INLINE explicit operator bool() const { return run != nullptr; }
  LATHE_INLINE void operator()(const OutputTile& tile) const {
    if (run != nullptr && tile.rows > 0 && tile.columns > 0) run(self, tile);
  }
};

/// Products of the same x, whose results have one shape, without regions of their own for what is
/// fused: all rows first, body(args) for each product, all results last. `before` and `after` are
/// those of the first.
template <typename Args, typename Body>
LATHE_INLINE void run_apart(std::span<const Args> all, const Body& body) {
  const auto& first = all[0];
  const std::int64_t rows = first.y.dims[0], columns = first.y.dims[1];
  first.before(0, rows);
  for (Args args : all) {
    args.before = {};
    args.after = {};
    body(args);
  }
  first.after({0, rows, 0, columns});
}

}  // namespace lathe::kernels
