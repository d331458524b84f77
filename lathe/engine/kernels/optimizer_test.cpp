#include "lathe/engine/kernels/optimizer.h"

#include <bit>
#include <cmath>

#include "lathe/engine/kernels/optimizer_math.h"
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

TEST(SplitMaster, LosesNoFloat) {
  std::vector<float> masters;
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 4093)
    masters.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (const std::uint32_t high : {0x0000u, 0x3F80u, 0x3F81u, 0x7F7Fu, 0x7F80u, 0xFFC0u})
    for (const std::uint32_t low : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})  // ties and edges
      masters.push_back(std::bit_cast<float>(high << 16 | low));
  const auto n = static_cast<std::int64_t>(masters.size());
  std::vector<std::uint16_t> value(masters.size()), rest(masters.size());
  View value_view, rest_view;
  value_view.data = value.data();
  rest_view.data = rest.data();
  const SplitMaster split(value_view, rest_view);
  for (std::int64_t i = 0; i < n; ++i) {
    const float x = masters[static_cast<std::size_t>(i)];
    split.set(i, x);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(split.get(i)), std::bit_cast<std::uint32_t>(x));
    if (!std::isfinite(x) || rest[static_cast<std::size_t>(i)] == 0x8000) continue;
    ASSERT_EQ(value[static_cast<std::size_t>(i)], to_bf16(x).bits) << x;  // apart from ties
  }
}

TEST(SplitMaster, GivesTheReferencesBits) {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 1000})
    expect_one_result("split and join", [&] {
      Array master = Array::random(DType::f32, {n}, 5), joined(DType::f32, {n});
      Array value(DType::bf16, {n}), rest(DType::u8, {2 * n});
      for (std::int64_t i = 0; i < n; ++i) master.set(i, master.at(i) * 1.2345678);
      split_master({master.view(), value.view(), rest.view()});
      join_master({joined.view(), value.view(), rest.view()});
      for (std::int64_t i = 0; i < n; ++i) EXPECT_EQ(joined.at(i), master.at(i));
      return std::vector<Array>{value, rest, joined};
    });
}

TEST(Adamw, UpdatesASplitMasterAsItDoesAWholeOne) {
  const std::int64_t n = 1003;
  State whole(DType::f32, DType::f32, n), halves(DType::f32, DType::f32, n);
  Array rest(DType::u8, {2 * n}), joined(DType::f32, {n});
  split_master({halves.theta.view(), halves.shadow.view(), rest.view()});
  AdamwArgs args = halves.args();
  args.theta = View{};
  args.rest = rest.view();
  for (int step = 0; step < 3; ++step) {
    adamw(args);
    adamw(whole.args());
  }
  join_master({joined.view(), halves.shadow.view(), rest.view()});
  for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(joined.at(i), whole.theta.at(i));
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
