#include "lathe/engine/kernels/math.h"

#include <gtest/gtest.h>

#include <functional>

namespace lathe::kernels {
namespace {

/// |got - truth| in units in the last place of the f32 nearest to truth.
double ulps(float got, double truth) {
  const float nearest = static_cast<float>(truth);
  if (std::isnan(truth)) return std::isnan(got) ? 0 : 1e9;
  if (std::isinf(nearest)) return got == nearest ? 0 : 1e9;
  const float size = std::fabs(nearest);
  const double unit = std::nextafter(size, INFINITY) - double{size};
  return std::fabs(got - truth) / unit;
}

struct Worst {
  double error = 0;
  float at = 0;
};

/// The largest error over every 1,009th f32 in [low, high] (of both signs when low is negative).
Worst worst(float low, float high, const std::function<float(float)>& f,
            const std::function<double(double)>& truth) {
  Worst result;
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 1009) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!(x >= low && x <= high)) continue;
    const double error = ulps(f(x), truth(x));
    if (error > result.error) result = {error, x};
  }
  return result;
}

void expect_under(double bound, const Worst& w) { EXPECT_LT(w.error, bound) << "at " << w.at; }

double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

constexpr float kHuge = 3.0e38f;

TEST(Math, ExpIsWithinItsBound) {
  const auto f = [](float x) { return exp(x); };
  const auto truth = [](double x) { return std::exp(x); };
  expect_under(1.0, worst(-87.33f, 88.37f, f, truth));
  expect_under(12.0, worst(88.37f, 88.7228f, f, truth));
  EXPECT_EQ(exp(-88.0f), 0.0f);
  EXPECT_EQ(exp(-INFINITY), 0.0f);
  EXPECT_EQ(exp(88.73f), INFINITY);
  EXPECT_EQ(exp(INFINITY), INFINITY);
  EXPECT_EQ(exp(0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(exp(NAN)));
}

TEST(Math, LogIsWithinItsBound) {
  expect_under(1.0, worst(
                        1e-45f, kHuge, [](float x) { return log(x); },
                        [](double x) { return std::log(x); }));
  EXPECT_EQ(log(1.0f), 0.0f);
  EXPECT_EQ(log(0.0f), -INFINITY);
  EXPECT_EQ(log(-0.0f), -INFINITY);
  EXPECT_EQ(log(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(log(-1.0f)));
  EXPECT_TRUE(std::isnan(log(-INFINITY)));
  EXPECT_TRUE(std::isnan(log(NAN)));
}

TEST(Math, TanhIsWithinItsBound) {
  expect_under(2.0, worst(
                        -kHuge, kHuge, [](float x) { return tanh(x); },
                        [](double x) { return std::tanh(x); }));
  EXPECT_EQ(tanh(INFINITY), 1.0f);
  EXPECT_EQ(tanh(-INFINITY), -1.0f);
  EXPECT_TRUE(std::isnan(tanh(NAN)));
  EXPECT_TRUE(std::signbit(tanh(-0.0f)));
}

TEST(Math, ErfIsWithinItsBound) {
  expect_under(2.0, worst(
                        -kHuge, kHuge, [](float x) { return erf(x); },
                        [](double x) { return std::erf(x); }));
  EXPECT_EQ(erf(INFINITY), 1.0f);
  EXPECT_EQ(erf(-INFINITY), -1.0f);
  EXPECT_TRUE(std::isnan(erf(NAN)));
  EXPECT_TRUE(std::signbit(erf(-0.0f)));
}

TEST(Math, SigmoidIsWithinItsBound) {
  expect_under(3.0, worst(
                        -87.0f, kHuge, [](float x) { return sigmoid(x); }, exact_sigmoid));
  EXPECT_EQ(sigmoid(-INFINITY), 0.0f);
  EXPECT_EQ(sigmoid(INFINITY), 1.0f);
  EXPECT_TRUE(std::isnan(sigmoid(NAN)));
}

}  // namespace
}  // namespace lathe::kernels
