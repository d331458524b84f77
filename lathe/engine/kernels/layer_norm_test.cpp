#include "lathe/engine/kernels/layer_norm.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16};

struct Sample {
  std::int64_t rows, columns;
  DType wide;
  Array x, weight, bias, dy, residual;
  Sample(DType x_type, DType y_type, std::int64_t r, std::int64_t c)
      : rows(r),
        columns(c),
        wide(x_type == DType::f64 ? DType::f64 : DType::f32),
        x(Array::random(x_type, {r, c}, 1, 2.0)),
        weight(Array::random(wide, {c}, 2)),
        bias(Array::random(wide, {c}, 3)),
        dy(Array::random(y_type, {r, c}, 4)),
        residual(Array::random(x_type, {r, c}, 5)) {}
};

enum Parts { kNone = 0, kWeight = 1, kBias = 2, kBoth = 3 };

std::vector<Array> forward(const Sample& s, int parts = kBoth) {
  Array y(s.dy.dtype(), {s.rows, s.columns}), mean(s.wide, {s.rows}), inverse(s.wide, {s.rows});
  layer_norm({.x = s.x.view(),
              .weight = parts & kWeight ? s.weight.view() : View{},
              .bias = parts & kBias ? s.bias.view() : View{},
              .y = y.view(),
              .mean = mean.view(),
              .inverse_std = inverse.view()});
  return {y, mean, inverse};
}

std::vector<Array> backward(const Sample& s, bool with_residual) {
  const auto saved = forward(s);
  Array dx(s.x.dtype(), {s.rows, s.columns});
  Array dweight = Array::random(s.wide, {s.columns}, 6);
  Array dbias = Array::random(s.wide, {s.columns}, 7);
  layer_norm_backward({.x = s.x.view(),
                       .weight = s.weight.view(),
                       .mean = saved[1].view(),
                       .inverse_std = saved[2].view(),
                       .dy = s.dy.view(),
                       .add_to = with_residual ? s.residual.view() : View{},
                       .dx = dx.view(),
                       .dweight_acc = dweight.view(),
                       .dbias_acc = dbias.view()});
  return {dx, dweight, dbias};
}

TEST(LayerNorm, GivesTheReferencesBits) {
  for (const std::int64_t columns : odd_lengths())
    for (const DType x_type : kTypes)
      for (const DType y_type : kTypes) {
        const Sample s(x_type, y_type, 33, columns);
        for (const int parts : {kNone, kWeight, kBias, kBoth})
          expect_one_result("layer_norm", [&] { return forward(s, parts); });
        for (const bool residual : {false, true})
          expect_one_result("layer_norm_backward", [&] { return backward(s, residual); });
      }
}

TEST(LayerNorm, MatchesTheFormula) {
  const Sample s(DType::f64, DType::f64, 2, 21);
  const Array y = forward(s)[0];
  for (int r = 0; r < 2; ++r) {
    double mean = 0, variance = 0;
    for (int i = 0; i < 21; ++i) mean += s.x.at(r * 21 + i) / 21;
    for (int i = 0; i < 21; ++i) variance += std::pow(s.x.at(r * 21 + i) - mean, 2) / 21;
    for (int i = 0; i < 21; ++i) {
      const double n = (s.x.at(r * 21 + i) - mean) / std::sqrt(variance + double{1e-5f});
      ASSERT_NEAR(y.at(r * 21 + i), n * s.weight.at(i) + s.bias.at(i), 1e-13);
    }
  }
}

TEST(LayerNorm, SinglePrecisionIsCloseToDouble) {
  const Sample single(DType::f32, DType::f32, 7, 576), wide(DType::f64, DType::f64, 7, 576);
  expect_close(forward(single)[0], forward(wide)[0], 1e-6, "y");
  const auto gradients = backward(single, true), truth = backward(wide, true);
  for (int k = 0; k < 3; ++k) expect_close(gradients[k], truth[k], 2e-6, "gradient");
}

TEST(LayerNorm, GradientsAgreeWithDifferences) {
  const Sample s(DType::f64, DType::f64, 3, 18);
  auto gradients = backward(s, false);
  const auto loss_with = [&](Array Sample::*part) {
    return [&s, part](const Array& value) {
      Sample changed = s;
      changed.*part = value;
      return dot(forward(changed)[0], s.dy);
    };
  };
  expect_gradient(s.x, gradients[0], "dx", loss_with(&Sample::x));
  for (int k = 1; k <= 2; ++k) {
    const Array start = Array::random(DType::f64, {18}, 5 + static_cast<std::uint64_t>(k));
    for (int i = 0; i < 18; ++i) gradients[k].set(i, gradients[k].at(i) - start.at(i));
  }
  expect_gradient(s.weight, gradients[1], "dweight", loss_with(&Sample::weight));
  expect_gradient(s.bias, gradients[2], "dbias", loss_with(&Sample::bias));
}

}  // namespace
}  // namespace lathe::kernels::testing
