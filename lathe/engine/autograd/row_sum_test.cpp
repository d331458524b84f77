#include "lathe/engine/autograd/row_sum.h"

#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {
namespace {

Tensor ids_of(const std::vector<std::int32_t>& ids) {
  return Tensor::from(std::span(ids), {std::ssize(ids)});
}

/// Rows whose sums depend on the order of additions.
Tensor rows_of(std::int64_t n, std::int64_t width) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < n * width; ++i)
    values.push_back((i % 3 == 0 ? 1e8f : 1.0f / 3) * (i % 2 == 0 ? 1.0f : -1.0f));
  return Tensor::from(std::span<const float>(values), {n, width});
}

TEST(RowSum, GivesTheBitsOfADenseSumHoweverItArrives) {
  const std::vector<std::int32_t> ids = {7, 2, 7, 0, 2, 7, 9, 2};
  const Tensor rows = rows_of(8, 5);
  const Tensor dense = Tensor::zeros({10, 5}, DType::f32),
               expected = ops::full({10, 5}, 0.25, DType::f32);
  ops::embedding_acc_(dense, rows, ids_of(ids));
  ops::add_acc_(expected, dense);

  RowSum sum({10, 5}, 8, Device::cpu);
  for (const std::int64_t piece : {8, 3, 1}) {
    sum.clear();
    for (std::int64_t begin = 0; begin < 8; begin += piece) {
      const std::int64_t end = std::min<std::int64_t>(8, begin + piece);
      sum.add(ops::slice(rows, 0, begin, end), ids_of({ids.begin() + begin, ids.begin() + end}));
    }
    const Tensor total = ops::full({10, 5}, 0.25, DType::f32);
    sum.add_to(total);
    EXPECT_EQ(total.to_doubles(), expected.to_doubles()) << "in pieces of " << piece;
  }
}

TEST(RowSum, KeepsNoMoreRowsThanTheTableHas) {
  const MemoryStats before = memory_stats(Device::meta);
  RowSum sum({3, 4}, 1000, Device::meta);
  const Tensor ids = Tensor::empty({100}, DType::i32, Device::meta);
  sum.add(Tensor::empty({100, 4}, DType::f32, Device::meta), ids);
  sum.clear();
  sum.add(Tensor::empty({100, 4}, DType::f32, Device::meta), ids);
  EXPECT_LE(memory_stats(Device::meta).in_use - before.in_use, 1024);
}

TEST(RowSum, RefusesIdsOutsideOfTheTable) {
  RowSum sum({3, 4}, 3, Device::cpu);
  EXPECT_THROW(sum.add(rows_of(1, 4), ids_of({3})), Error);
  EXPECT_THROW(sum.add(rows_of(1, 4), ids_of({-1})), Error);
}

TEST(RowSum, RefusesMoreTokensThanItIsMadeFor) {
  RowSum sum({10, 4}, 3, Device::cpu);
  sum.add(rows_of(2, 4), ids_of({5, 6}));
  EXPECT_THROW(sum.add(rows_of(2, 4), ids_of({7, 8})), Error);
  sum.clear();
  sum.add(rows_of(2, 4), ids_of({7, 8}));
}

}  // namespace
}  // namespace lathe::autograd
