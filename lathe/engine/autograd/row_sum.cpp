#include "lathe/engine/autograd/row_sum.h"

#include <algorithm>
#include <vector>

namespace lathe::autograd {

RowSum::RowSum(const Shape& table, std::int64_t most_rows, Device device) {
  const std::int64_t rows = std::min(table[0], most_rows);
  rows_.sums = Tensor::empty({rows, table[1]}, DType::f32, device);
  rows_.ids = Tensor::zeros({rows}, DType::i32, device);
  rows_.used = Tensor::zeros({1}, DType::i32, device);
  rows_.place = Tensor::empty({table[0]}, DType::i32, device);
  if (rows_.place.has_data())
    std::fill_n(rows_.place.data<std::int32_t>(), table[0], std::int32_t{-1});
}

}  // namespace lathe::autograd
