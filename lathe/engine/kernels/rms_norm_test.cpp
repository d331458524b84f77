#include "lathe/engine/kernels/rms_norm.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

struct Sample {
  Array x, weight, dy, residual;
  Sample(DType x_type, DType y_type, std::int64_t rows, std::int64_t columns)
      : x(Array::random(x_type, {rows, columns}, 1, 2.0)),
        weight(Array::random(x_type, {columns}, 2)),
        dy(Array::random(y_type, {rows, columns}, 3)),
        residual(Array::random(x_type, {rows, columns}, 4)) {}
};

std::vector<Array> forward(const Array& x, const Array& weight, DType y_type, float offset) {
  const std::int64_t rows = x.view().dims[0], columns = x.view().dims[1];
  const DType wide = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  Array y(y_type, {rows, columns}), inverse(wide, {rows});
  rms_norm({.x = x.view(),
            .weight = weight.count() == 0 && columns != 0 ? View{} : weight.view(),
            .y = y.view(),
            .inverse_rms = inverse.view(),
            .eps = 1e-5f,
            .offset = offset});
  return {y, inverse};
}

std::vector<Array> backward(const Sample& s, const Array& inverse, bool with_residual) {
  const DType wide = inverse.dtype();
  Array dx(s.x.dtype(), {s.x.view().dims[0], s.x.view().dims[1]});
  Array dweight = Array::random(wide, {s.x.view().dims[1]}, 5);
  rms_norm_backward({.x = s.x.view(),
                     .weight = s.weight.view(),
                     .inverse_rms = inverse.view(),
                     .dy = s.dy.view(),
                     .add_to = with_residual ? s.residual.view() : View{},
                     .dx = dx.view(),
                     .dweight_acc = dweight.view(),
                     .offset = 1.0f});
  return {dx, dweight};
}

TEST(RmsNorm, GivesTheReferencesBits) {
  for (const std::int64_t columns : odd_lengths())
    for (const DType x_type : kTypes)
      for (const DType y_type : kTypes) {
        const Sample s(x_type, y_type, 37, columns);
        expect_one_result("rms_norm " + std::to_string(columns),
                          [&] { return forward(s.x, s.weight, y_type, 1.0f); });
        const Array inverse = forward(s.x, s.weight, y_type, 1.0f)[1];
        for (const bool residual : {false, true})
          expect_one_result("rms_norm_backward " + std::to_string(columns),
                            [&] { return backward(s, inverse, residual); });
      }
}

TEST(RmsNorm, KeepsNotANumberAndInfinity) {
  expect_one_result("rms_norm of NaN", [] {
    Array x = Array::random(DType::f32, {4, 33}, 1);
    x.set(5, NAN), x.set(40, INFINITY), x.set(70, -0.0);
    return forward(x, Array::random(DType::f32, {33}, 2), DType::bf16, 0.0f);
  });
}

TEST(RmsNorm, MatchesTheFormula) {
  const Sample s(DType::f64, DType::f64, 3, 50);
  const Array y = forward(s.x, s.weight, DType::f64, 1.0f)[0];
  for (int r = 0; r < 3; ++r) {
    double squares = 0;
    for (int i = 0; i < 50; ++i) squares += s.x.at(r * 50 + i) * s.x.at(r * 50 + i);
    for (int i = 0; i < 50; ++i) {
      const double expected =
          s.x.at(r * 50 + i) / std::sqrt(squares / 50 + double{1e-5f}) * (s.weight.at(i) + 1);
      ASSERT_NEAR(y.at(r * 50 + i), expected, 1e-13);
    }
  }
}

TEST(RmsNorm, SinglePrecisionIsCloseToDouble) {
  const Sample single(DType::f32, DType::f32, 7, 576), wide(DType::f64, DType::f64, 7, 576);
  const auto y = forward(single.x, single.weight, DType::f32, 1.0f);
  const auto truth = forward(wide.x, wide.weight, DType::f64, 1.0f);
  expect_close(y[0], truth[0], 5e-7, "y");
  const auto gradients = backward(single, y[1], true), exact = backward(wide, truth[1], true);
  expect_close(gradients[0], exact[0], 1e-6, "dx");
  expect_close(gradients[1], exact[1], 2e-6, "dweight");
}

TEST(RmsNorm, GradientsAgreeWithDifferences) {
  const Sample s(DType::f64, DType::f64, 3, 19);
  const Array inverse = forward(s.x, s.weight, DType::f64, 1.0f)[1];
  const auto gradients = backward(s, inverse, false);
  expect_gradient(s.x, gradients[0], "dx", [&](const Array& x) {
    return dot(forward(x, s.weight, DType::f64, 1.0f)[0], s.dy);
  });
  Array dweight = gradients[1];
  const Array start = Array::random(DType::f64, {19}, 5);
  for (int i = 0; i < 19; ++i) dweight.set(i, dweight.at(i) - start.at(i));
  expect_gradient(s.weight, dweight, "dweight", [&](const Array& weight) {
    return dot(forward(s.x, weight, DType::f64, 1.0f)[0], s.dy);
  });
}

TEST(RmsNorm, WeightGradientOfPartsIsThatOfTheWhole) {
  const Sample s(DType::f32, DType::f32, 10, 70);
  const Array inverse = forward(s.x, s.weight, DType::f32, 0.0f)[1];
  const auto accumulate = [&](View x, View dy, View inverses, Array& acc) {
    rms_norm_backward({.x = x,
                       .weight = s.weight.view(),
                       .inverse_rms = inverses,
                       .dy = dy,
                       .dweight_acc = acc.view()});
  };
  Array whole(DType::f32, {70}), parts(DType::f32, {70});
  accumulate(s.x.view(), s.dy.view(), inverse.view(), whole);
  for (const int first : {0, 3}) {
    const int rows = first == 0 ? 3 : 7;
    View x = s.x.view(), dy = s.dy.view(), inverses = inverse.view();
    x.data = x.as<float>() + first * 70, dy.data = dy.as<float>() + first * 70;
    inverses.data = inverses.as<float>() + first;
    x.dims[0] = dy.dims[0] = inverses.dims[0] = rows;
    accumulate(x, dy, inverses, parts);
  }
  EXPECT_EQ(whole.first_difference(parts), -1);
}

TEST(RmsNorm, ReadsRowsWithAStride) {
  expect_one_result("rms_norm of a slice", [] {
    const Array wide = Array::random(DType::f32, {5, 100}, 1);
    View x = wide.view();
    x.data = x.as<float>() + 20, x.dims[1] = 40;
    Array y(DType::f32, {5, 40});
    rms_norm({.x = x, .y = y.view()});
    return std::vector<Array>{y};
  });
}

}  // namespace
}  // namespace lathe::kernels::testing
