#include "lathe/engine/kernels/activation.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr Activation kAll[] = {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf,
                               Activation::relu, Activation::relu_squared};
constexpr DType kTypes[] = {DType::f32, DType::bf16};

/// Normal numbers of several scales and every special value.
Array inputs(DType dtype, std::int64_t n, std::uint64_t seed) {
  Array x = Array::random(dtype, {n}, seed, 4.0);
  const double special[] = {0.0,   -0.0,  INFINITY, -INFINITY, NAN,   1e-40, -1e-40, 88.5,
                            -88.5, 100.0, -100.0,   1e38,      -1e38, 0.625, -0.9,   1e-20};
  for (std::int64_t i = 0; i < 16 && 3 * i < n; ++i) x.set(3 * i, special[i]);
  return x;
}

std::vector<Array> forward(const Array& x, DType y_type, Activation kind) {
  Array y(y_type, {x.count()});
  activation({x.view(), y.view(), kind});
  return {y};
}

std::vector<Array> backward(const Array& x, const Array& dy, Activation kind) {
  Array dx(x.dtype(), {x.count()});
  activation_backward({x.view(), dy.view(), dx.view(), kind});
  return {dx};
}

std::vector<Array> gated_all(const Array& gate, const Array& up, const Array& dy, Activation kind) {
  Array y(dy.dtype(), {dy.count()}), dgate(gate.dtype(), {dy.count()}), dup = dgate;
  gated({gate.view(), up.view(), y.view(), kind});
  gated_backward({gate.view(), up.view(), dy.view(), dgate.view(), dup.view(), kind});
  return {y, dgate, dup};
}

TEST(Activation, GivesTheReferencesBits) {
  for (const Activation kind : kAll)
    for (const DType x_type : kTypes)
      for (const DType y_type : kTypes)
        for (const std::int64_t n : {0, 1, 15, 16, 17, 33, 1000, 40000}) {
          const Array x = inputs(x_type, n, 1), up = Array::random(x_type, {n}, 2);
          const Array dy = Array::random(y_type, {n}, 3);
          expect_one_result("activation", [&] { return forward(x, y_type, kind); });
          expect_one_result("activation_backward", [&] { return backward(x, dy, kind); });
          expect_one_result("gated", [&] { return gated_all(x, up, dy, kind); });
        }
}

TEST(Activation, MatchesTheFormulas) {
  const auto value = [](Activation kind, double x) {
    switch (kind) {
      case Activation::silu:
        return x / (1 + std::exp(-x));
      case Activation::gelu_tanh:
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
      case Activation::gelu_erf:
        return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
      case Activation::relu:
        return std::fmax(x, 0.0);
      default:
        return std::fmax(x, 0.0) * std::fmax(x, 0.0);
    }
  };
  const Array wide = Array::random(DType::f64, {500}, 1, 3.0);
  const Array single = wide.as(DType::f32);
  for (const Activation kind : kAll) {
    const Array exact = forward(wide, DType::f64, kind)[0];
    for (int i = 0; i < 500; ++i) ASSERT_NEAR(exact.at(i), value(kind, wide.at(i)), 1e-14 * 100);
    expect_close(forward(single, DType::f32, kind)[0], exact, 3e-7, "value");
    const Array dy = Array::random(DType::f64, {500}, 2);
    expect_close(backward(single, dy.as(DType::f32), kind)[0], backward(wide, dy, kind)[0], 1e-6,
                 "slope");
  }
}

TEST(Activation, GradientsAgreeWithDifferences) {
  const Array gate = Array::random(DType::f64, {60}, 1, 2.0);
  const Array up = Array::random(DType::f64, {60}, 2), dy = Array::random(DType::f64, {60}, 3);
  for (const Activation kind : kAll) {
    expect_gradient(gate, backward(gate, dy, kind)[0], "plain",
                    [&](const Array& x) { return dot(forward(x, DType::f64, kind)[0], dy); });
    const auto all = gated_all(gate, up, dy, kind);
    expect_gradient(gate, all[1], "gate",
                    [&](const Array& x) { return dot(gated_all(x, up, dy, kind)[0], dy); });
    expect_gradient(up, all[2], "up",
                    [&](const Array& x) { return dot(gated_all(gate, x, dy, kind)[0], dy); });
  }
}

TEST(Activation, ReadsTheHalvesOfOneProduct) {
  expect_one_result("gated halves", [] {
    const Array both = Array::random(DType::bf16, {9, 66}, 1);
    View gate = both.view(), up = both.view();
    gate.dims[1] = up.dims[1] = 33;
    up.data = up.as<bf16_t>() + 33;
    Array y(DType::bf16, {9, 33});
    gated({gate, up, y.view(), Activation::silu});
    return std::vector<Array>{y};
  });
}

TEST(Activation, KeepsNotANumber) {
  Array x(DType::f32, {1});
  x.set(0, NAN);
  for (const Activation kind : kAll) EXPECT_TRUE(std::isnan(forward(x, DType::f32, kind)[0].at(0)));
}

}  // namespace
}  // namespace lathe::kernels::testing
