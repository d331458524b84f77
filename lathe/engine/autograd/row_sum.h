// The gradient of a table of which a step reads few rows.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/engine/tensor/tensor.h"

namespace lathe::autograd {

/// Sums of rows by id, f32, each one chain in the order of arrival; memory grows with the rows that
/// were touched. A tied embedding keeps its gradient here until it joins that of the head.
class RowSum {
 public:
  /// Shapes: the table is [V,C].
  RowSum(const Shape& table, Device device);

  /// Shapes: ids i32 [...], rows [...,C]. On meta every id counts as a new row, up to V.
  /// Throws InvalidArgument for an id outside of the table.
  void add(const Tensor& rows, const Tensor& ids);
  /// dense += the sums. Shapes: dense f32 [V,C].
  void add_to(const Tensor& dense) const;
  void clear();

 private:
  std::int64_t place(std::int32_t id);
  void make_room();

  std::int64_t vocab_, width_;
  Device device_;
  std::vector<std::int32_t> place_of_;  // [V], -1: none
  std::vector<std::int32_t> ids_;       // of the rows in use
  Tensor sums_;                         // f32 [capacity,C]
};

}  // namespace lathe::autograd
