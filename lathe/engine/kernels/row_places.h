// Which row of a table of sums an id has; integers only, one for all instruction sets.
#pragma once

#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// at[n] = the row of ids[n]; an id without a row takes the next one, whose sums become zero.
/// ids outside of [0, V), and new ones when no row is left, get -1.
/// Shapes: ids and at i32 [N], place i32 [V] (-1: none), row_ids i32 [R], used i32 [1],
/// sums f32 [R,C]; all contiguous.
struct PlaceRowsArgs {
  View ids, place, row_ids, used, sums, at;
};
void place_rows(const PlaceRowsArgs& args) noexcept;

/// No id has a row afterwards.
struct ForgetRowsArgs {
  View place, row_ids, used;
};
void forget_rows(const ForgetRowsArgs& args) noexcept;

}  // namespace lathe::kernels
