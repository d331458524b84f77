#include "lathe/engine/kernels/softmax.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

std::vector<Array> forward(const Array& x, DType y_type, bool logarithm) {
  Array y(y_type, {x.view().dims[0], x.view().dims[1]});
  logarithm ? log_softmax({x.view(), y.view()}) : softmax({x.view(), y.view()});
  return {y};
}

std::vector<Array> backward(const Array& y, const Array& dy, DType dx_type, bool logarithm) {
  Array dx(dx_type, {y.view().dims[0], y.view().dims[1]});
  const SoftmaxBackwardArgs args{y.view(), dy.view(), dx.view()};
  logarithm ? log_softmax_backward(args) : softmax_backward(args);
  return {dx};
}

TEST(Softmax, GivesTheReferencesBits) {
  for (const std::int64_t columns : odd_lengths())
    for (const DType x_type : kTypes)
      for (const DType y_type : kTypes)
        for (const bool logarithm : {false, true}) {
          const Array x = Array::random(x_type, {29, columns}, 1, 5.0);
          const Array dy = Array::random(x_type, {29, columns}, 2);
          expect_one_result("softmax", [&] { return forward(x, y_type, logarithm); });
          const Array y = forward(x, y_type, logarithm)[0];
          expect_one_result("softmax_backward", [&] { return backward(y, dy, x_type, logarithm); });
        }
}

TEST(Softmax, TreatsSpecialRowsAlike) {
  Array x(DType::f32, {5, 20});
  for (int i = 0; i < 20; ++i) {
    x.set(i, -INFINITY);                      // all masked
    x.set(20 + i, i == 3 ? 2.0 : -INFINITY);  // one left
    x.set(40 + i, i == 17 ? NAN : i);         // a NaN in the tail
    x.set(60 + i, i == 5 ? INFINITY : 0.0);   // an infinity
    x.set(80 + i, i % 2 == 0 ? -0.0 : 0.0);   // zeros of both signs
  }
  for (const bool logarithm : {false, true})
    expect_one_result("special rows", [&] { return forward(x, DType::f32, logarithm); });
  const Array y = forward(x, DType::f32, false)[0];
  EXPECT_TRUE(std::isnan(y.at(0)) && std::isnan(y.at(45)) && std::isnan(y.at(60)));
  EXPECT_EQ(y.at(23), 1.0);
  EXPECT_EQ(y.at(22), 0.0);
  EXPECT_EQ(y.at(80), 1.0f / 20.0f);
}

TEST(Softmax, WorksInPlace) {
  const Array x = Array::random(DType::f32, {3, 50}, 1, 3.0);
  Array y = x;
  softmax({y.view(), y.view()});
  EXPECT_EQ(y.first_difference(forward(x, DType::f32, false)[0]), -1);
}

TEST(Softmax, MatchesTheFormula) {
  const Array wide = Array::random(DType::f64, {4, 300}, 1, 5.0);
  const Array y = forward(wide, DType::f64, false)[0], z = forward(wide, DType::f64, true)[0];
  for (int r = 0; r < 4; ++r) {
    double sum = 0;
    for (int i = 0; i < 300; ++i) sum += std::exp(wide.at(r * 300 + i));
    for (int i = 0; i < 300; ++i) {
      const double p = std::exp(wide.at(r * 300 + i)) / sum;
      ASSERT_NEAR(y.at(r * 300 + i), p, 1e-14);
      ASSERT_NEAR(z.at(r * 300 + i), std::log(p), 1e-12);
    }
  }
  expect_close(forward(wide.as(DType::f32), DType::f32, false)[0], y, 3e-7, "softmax");
  expect_close(forward(wide.as(DType::f32), DType::f32, true)[0], z, 3e-7, "log_softmax");
}

TEST(Softmax, GradientsAgreeWithDifferences) {
  const Array x = Array::random(DType::f64, {3, 20}, 1), dy = Array::random(DType::f64, {3, 20}, 2);
  for (const bool logarithm : {false, true}) {
    const Array y = forward(x, DType::f64, logarithm)[0];
    expect_gradient(x, backward(y, dy, DType::f64, logarithm)[0], "dx",
                    [&](const Array& v) { return dot(forward(v, DType::f64, logarithm)[0], dy); });
  }
}

}  // namespace
}  // namespace lathe::kernels::testing
