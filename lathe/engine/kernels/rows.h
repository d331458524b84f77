// How row kernels read a View: [rows, columns] with unit stride in the last dimension and any
// stride between rows; rank 1 is one row. Shared by the reference loops and the cpu kernels.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/math.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

LATHE_INLINE std::int64_t columns_of(const View& v) { return v.rank == 0 ? 1 : v.dims[v.rank - 1]; }
LATHE_INLINE std::int64_t rows_of(const View& v) { return v.rank < 2 ? 1 : v.dims[v.rank - 2]; }
LATHE_INLINE std::int64_t row_stride(const View& v) {
  return v.rank < 2 ? 0 : v.strides[v.rank - 2];
}

/// Rows a chunk of parallel_for takes: about 16,384 elements, a function of the shape only.
LATHE_INLINE std::int64_t row_grain(std::int64_t columns) {
  const std::int64_t wide = columns > 0 ? columns : 1;
  return wide >= 16384 ? 1 : 16384 / wide;
}

/// Elements a chunk of an elementwise kernel takes; columns a thread owns in a column sum.
constexpr std::int64_t kElementGrain = 16384;
constexpr std::int64_t kColumnGrain = 256;

}  // namespace lathe::kernels
