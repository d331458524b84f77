#include "lathe/engine/kernels/optimizer.h"

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

struct State {
  Array theta, gradient, m, v, shadow;
  State(DType wide, DType moments, std::int64_t n)
      : theta(Array::random(wide, {n}, 1)),
        gradient(Array::random(wide, {n}, 2)),
        m(Array::random(moments, {n}, 3, 0.1)),
        v(Array::random(moments, {n}, 4, 0.1)),
        shadow(DType::bf16, {n}) {
    for (std::int64_t i = 0; i < n; ++i) v.set(i, std::abs(v.at(i)));
  }
  AdamwArgs args() {
    return {.theta = theta.view(),
            .gradient = gradient.view(),
            .m = m.view(),
            .v = v.view(),
            .shadow = shadow.view(),
            .lr = 3e-3,
            .beta1 = 0.9,
            .beta2 = 0.999,
            .eps = 1e-8,
            .weight_decay = 0.1,
            .bias1 = 0.271,
            .bias2 = 0.002997,
            .gradient_scale = 0.37};
  }
};

TEST(Adamw, GivesTheReferencesBits) {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 33, 1000, 40000})
    for (const DType moments : {DType::f32, DType::bf16})
      for (const bool clear : {false, true})
        expect_one_result("adamw", [&] {
          State s(DType::f32, moments, n);
          AdamwArgs args = s.args();
          args.clear_gradient = clear;
          if (n == 17) args.shadow = View{};
          adamw(args);
          return std::vector<Array>{s.theta, s.gradient, s.m, s.v, s.shadow};
        });
}

// The published sequence of torch.optim.AdamW, written out in doubles.
TEST(Adamw, FollowsPyTorchsForm) {
  State single(DType::f32, DType::f32, 200), wide(DType::f64, DType::f64, 200);
  const State start = wide;
  adamw(single.args());
  const AdamwArgs a = wide.args();
  adamw(a);
  for (int i = 0; i < 200; ++i) {
    const double g = start.gradient.at(i) * a.gradient_scale;
    const double m = start.m.at(i) + (1 - a.beta1) * (g - start.m.at(i));
    const double v = a.beta2 * start.v.at(i) + (1 - a.beta2) * g * g;
    const double denominator = std::sqrt(v) / std::sqrt(a.bias2) + a.eps;
    const double theta =
        start.theta.at(i) * (1 - a.lr * a.weight_decay) - a.lr / a.bias1 * m / denominator;
    ASSERT_NEAR(wide.theta.at(i), theta, 1e-14);
    ASSERT_NEAR(wide.m.at(i), m, 1e-15);
    ASSERT_NEAR(wide.v.at(i), v, 1e-15);
  }
  expect_close(single.theta, wide.theta, 2e-7, "theta");
  for (int i = 0; i < 200; ++i)  // 1 - beta2 must not be rounded in f32 first
    ASSERT_NEAR(single.v.at(i) / wide.v.at(i), 1.0, 3e-7);
}

TEST(Momentum, GivesTheReferencesBitsAndTheFormula) {
  for (const std::int64_t n : {0, 1, 17, 33, 40000})
    for (const bool nesterov : {false, true})
      expect_one_result("momentum", [&] {
        State s(DType::f32, DType::f32, n);
        momentum({s.gradient.view(), s.m.view(), s.shadow.view(), 0.95, 0.5, nesterov});
        decayed_step({s.theta.view(), s.shadow.view(), s.shadow.view(), 0.02, 0.99});
        return std::vector<Array>{s.theta, s.m, s.shadow};
      });
  State s(DType::f64, DType::f64, 3);
  const State start = s;
  momentum({s.gradient.view(), s.m.view(), s.gradient.view(), 0.95, 0.5, true});
  decayed_step({s.theta.view(), s.gradient.view(), View{}, 0.02, 0.99});
  for (int i = 0; i < 3; ++i) {
    const double g = start.gradient.at(i) * 0.5, buffer = 0.95 * start.m.at(i) + g;
    EXPECT_NEAR(s.m.at(i), buffer, 1e-15);
    EXPECT_NEAR(s.theta.at(i), start.theta.at(i) * 0.99 - 0.02 * (g + 0.95 * buffer), 1e-15);
  }
}

}  // namespace
}  // namespace lathe::kernels::testing
