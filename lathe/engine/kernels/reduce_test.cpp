#include "lathe/engine/kernels/reduce.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};
constexpr Reduce kOps[] = {Reduce::sum, Reduce::mean, Reduce::max};
using Dims = std::vector<std::int64_t>;

std::vector<Array> reduced(const View& x, const Dims& dims, DType type, Reduce op,
                           bool accumulate = false) {
  Array out = Array::random(type, dims, 7);
  reduce({x, out.view(), op, accumulate});
  return {out};
}

TEST(ReduceOp, GivesTheReferencesBits) {
  const Dims shapes[] = {{1, 1, 1}, {3, 5, 33}, {2, 1, 17},  {0, 3, 4},
                         {3, 0, 4}, {3, 4, 0},  {70, 2, 100}};
  for (const Dims& shape : shapes)
    for (int kept = 0; kept < 8; ++kept)
      for (const DType type : kTypes)
        for (const DType out_type : kTypes)
          for (const Reduce op : kOps)
            for (const bool accumulate : {false, true}) {
              Dims dims = shape;
              for (int d = 0; d < 3; ++d)
                if ((kept >> d & 1) == 0) dims[static_cast<std::size_t>(d)] = 1;
              const Array x = Array::random(type, shape, 1);
              expect_one_result("reduce", [&] {
                return reduced(x.view(), dims, out_type, op, accumulate && op != Reduce::mean);
              });
            }
}

TEST(ReduceOp, FollowsStrides) {
  const Array x = Array::random(DType::f32, {4, 20, 33}, 1);
  View turned = x.view();
  std::swap(turned.dims[1], turned.dims[2]);
  std::swap(turned.strides[1], turned.strides[2]);
  for (const Dims& dims : {Dims{4, 33, 1}, Dims{4, 1, 20}, Dims{1, 33, 20}, Dims{1, 1, 1}, Dims{20},
                           Dims{33, 20}, Dims{}})
    for (const Reduce op : kOps)
      expect_one_result("strided", [&] { return reduced(turned, dims, DType::f32, op); });
}

TEST(ReduceOp, MatchesTheDefinition) {
  const Array x = Array::random(DType::f64, {3, 4, 50}, 1);
  const auto at = [&](int i, int j, int k) { return x.at((i * 4 + j) * 50 + k); };
  for (const DType type : {DType::f64, DType::f32}) {
    const Array given = x.as(type);
    const double bound = type == DType::f64 ? 1e-13 : 3e-6;
    const Array rows = reduced(given.view(), {3, 4, 1}, type, Reduce::sum)[0];
    const Array middle = reduced(given.view(), {3, 1, 50}, type, Reduce::mean)[0];
    const Array columns = reduced(given.view(), {50}, type, Reduce::max)[0];
    const Array mixed = reduced(given.view(), {4, 1}, type, Reduce::sum)[0];
    for (int j = 0; j < 4; ++j) {
      double sum = 0;
      for (int i = 0; i < 3; ++i)
        for (int k = 0; k < 50; ++k) sum += at(i, j, k);
      EXPECT_NEAR(mixed.at(j), sum, bound);
    }
    for (int k = 0; k < 50; ++k) {
      double largest = -INFINITY;
      for (int i = 0; i < 3; ++i) {
        EXPECT_NEAR(middle.at(i * 50 + k),
                    (at(i, 0, k) + at(i, 1, k) + at(i, 2, k) + at(i, 3, k)) / 4, bound);
        for (int j = 0; j < 4; ++j) largest = std::fmax(largest, at(i, j, k));
      }
      EXPECT_EQ(columns.at(k), largest);
    }
    double first = 0;
    for (int k = 0; k < 50; ++k) first += at(0, 0, k);
    EXPECT_NEAR(rows.at(0), first, bound);
  }
}

TEST(ReduceOp, MaximumKeepsNotANumber) {
  for (const int place : {0, 17, 32})
    expect_one_result("max of NaN", [&] {
      Array x = Array::random(DType::f32, {3, 33}, 1);
      x.set(33 + place, NAN);
      x.set(66, -0.0);
      auto rows = reduced(x.view(), {3, 1}, DType::f32, Reduce::max);
      EXPECT_TRUE(std::isnan(rows[0].at(1)) && !std::isnan(rows[0].at(0)));
      rows.push_back(reduced(x.view(), {33}, DType::f32, Reduce::max)[0]);
      EXPECT_TRUE(std::isnan(rows[1].at(place)));
      return rows;
    });
}

// Bias gradients: any split of the rows gives the bits of the whole.
TEST(ReduceOp, AccumulationGoesOnFromTheStoredValue) {
  const Array x = Array::random(DType::bf16, {100, 70}, 1);
  Array whole(DType::f32, {70}), parts(DType::f32, {70});
  reduce({x.view(), whole.view(), Reduce::sum, true});
  for (int begin = 0, rows = 1; begin < 100;
       begin += rows, rows = std::min(2 * rows, 100 - begin)) {
    View part = x.view();
    part.data = part.as<bf16_t>() + begin * 70;
    part.dims[0] = rows;
    reduce({part, parts.view(), Reduce::sum, true});
  }
  EXPECT_EQ(whole.first_difference(parts), -1);
}

}  // namespace
}  // namespace lathe::kernels::testing
