#include "lathe/engine/kernels/statistics.h"

#include <algorithm>
#include <numeric>

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

Array norm_and_count(const Array& x) {
  Array out(DType::f64, {2});
  std::int64_t count = -1;
  sum_of_squares({x.view(), out.view().as<double>()});
  count_nonfinite({x.view(), &count});
  out.set(1, static_cast<double>(count));
  return out;
}

TEST(Statistics, GivesTheReferencesBits) {
  for (const std::int64_t n : {0, 1, 15, 17, 1000, 4095, 4096, 4097, 100001})
    for (const DType type : kTypes) {
      Array x = Array::random(type, {n}, 1);
      expect_one_result("statistics", [&] { return std::vector<Array>{norm_and_count(x)}; });
      if (n > 17) x.set(3, NAN), x.set(17, INFINITY), x.set(n - 1, -INFINITY);
      expect_one_result("with NaN", [&] { return std::vector<Array>{norm_and_count(x)}; });
      EXPECT_EQ(norm_and_count(x).at(1), n > 17 ? 3 : 0);
    }
}

// More blocks than one wave of partial sums holds.
TEST(Statistics, AddsManyBlocksInOrder) {
  Array x(DType::bf16, {4096 * 1030 + 5});
  x.fill(0.1);
  const double each = x.at(0) * x.at(0), expected = each * static_cast<double>(x.count());
  expect_one_result("waves", [&] { return std::vector<Array>{norm_and_count(x)}; });
  EXPECT_NEAR(norm_and_count(x).at(0) / expected, 1.0, 1e-6);
}

TEST(Statistics, SumOfSquaresInDoubleIsExactEnough) {
  const Array x = Array::random(DType::f64, {10000}, 1);
  EXPECT_NEAR(norm_and_count(x).at(0), dot(x, x), 1e-9);
}

/// Rows with ties, NaN, infinities and zeros of both signs.
Array rows_of_kinds(DType type, std::int64_t columns) {
  Array x = Array::random(type, {12, columns}, 1);
  for (std::int64_t i = 0; i < columns; ++i) {
    x.set(i, 1.0);
    x.set(columns + i, i % 2 == 0 ? -0.0 : 0.0);
    x.set(2 * columns + i, -INFINITY);
    if (i == columns / 2 || i == columns - 1) x.set(3 * columns + i, NAN);
    if (i == columns / 3) x.set(4 * columns + i, INFINITY);
  }
  return x;
}

std::vector<Array> ranked(const Array& x, std::int64_t wanted) {
  Array index(DType::i32, {12}), values(DType::f32, {12, wanted}),
      indices(DType::i32, {12, wanted});
  argmax({x.view(), index.view()});
  top_k({x.view(), values.view(), indices.view()});
  return {index, values, indices};
}

TEST(Ranking, GivesTheReferencesBits) {
  for (const std::int64_t columns : odd_lengths())
    for (const DType type : kTypes)
      for (const std::int64_t wanted : {0, 1, 5, 40})
        expect_one_result("ranking " + std::to_string(columns),
                          [&] { return ranked(rows_of_kinds(type, columns), wanted); });
}

TEST(Ranking, OrdersByValueThenColumn) {
  const std::int64_t columns = 50;
  const Array x = rows_of_kinds(DType::f32, columns);
  const auto out = ranked(x, 8);
  for (std::int64_t r = 0; r < 12; ++r) {
    std::vector<std::int64_t> order(columns);
    std::iota(order.begin(), order.end(), 0);
    const auto key = [&](std::int64_t i) {
      const double v = x.at(r * columns + i);
      return std::isnan(v) ? std::pair{1, 0.0} : std::pair{0, v};
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return key(a) > key(b); });
    EXPECT_EQ(out[0].at(r), order[0]);
    for (std::int64_t k = 0; k < 8; ++k)
      ASSERT_EQ(out[2].at(r * 8 + k), order[static_cast<std::size_t>(k)]) << r << " " << k;
  }
}

}  // namespace
}  // namespace lathe::kernels::testing
