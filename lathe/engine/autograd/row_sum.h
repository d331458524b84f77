// The gradient of a table of which a step reads few rows.
#pragma once

#include <cstdint>

#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {

/// Sums of rows by id, f32, each one chain in the order of arrival. A tied embedding keeps its
/// gradient here until it joins that of the head. All work is ops, so it can be captured; of the
/// memory for `most_rows` rows only what ids touch becomes resident.
class RowSum {
 public:
  /// Shapes: the table is [V,C]. most_rows: ids between two calls of clear(), repeats counted; V
  /// rows are always enough.
  RowSum(const Shape& table, std::int64_t most_rows, Device device);

  /// Shapes: ids i32 [...], rows [...,C]. Throws InvalidArgument for an id outside of the table.
  void add(const Tensor& rows, const Tensor& ids) { ops::rows_acc_(rows_, rows, ids); }
  /// dense += the sums. Shapes: dense f32 [V,C].
  void add_to(const Tensor& dense) const { ops::add_rows_(dense, rows_); }
  void clear() { ops::clear_rows_(rows_); }

 private:
  ops::RowSums rows_;
};

}  // namespace lathe::autograd
