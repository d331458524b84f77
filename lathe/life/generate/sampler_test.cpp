#include "lathe/life/generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "lathe/base/error.h"

namespace lathe::generate {
namespace {

std::map<std::int32_t, double> shares(const SamplerOptions& o, const std::vector<float>& logits) {
  const Sampler sampler(o);
  std::map<std::int32_t, double> counts;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i)
    counts[sampler.pick(logits, static_cast<std::uint64_t>(i))] += 1.0 / kDraws;
  return counts;
}

const std::vector<float> kLogits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                    std::log(0.05f)};

TEST(Sampler, DrawsInProportion) {
  auto s = shares({.temperature = 1, .top_k = 0, .top_p = 1}, kLogits);
  EXPECT_NEAR(s[0], 0.5, 0.015);
  EXPECT_NEAR(s[3], 0.05, 0.01);
}

TEST(Sampler, TopKAndTopPCutTheTail) {
  auto k = shares({.temperature = 1, .top_k = 2, .top_p = 1}, kLogits);
  EXPECT_EQ(k.size(), 2u);
  EXPECT_NEAR(k[0], 0.625, 0.015);
  auto p = shares({.temperature = 1, .top_k = 0, .top_p = 0.79}, kLogits);
  EXPECT_EQ(p.size(), 2u);
  auto one = shares({.temperature = 1, .top_k = 0, .top_p = 0.0}, kLogits);
  EXPECT_EQ(one.size(), 1u);
}

TEST(Sampler, TemperatureSharpens) {
  auto cold = shares({.temperature = 0.5, .top_k = 0, .top_p = 1}, kLogits);
  EXPECT_NEAR(cold[0], 0.25 / (0.25 + 0.09 + 0.0225 + 0.0025), 0.015);
}

TEST(Sampler, ZeroTemperatureTakesTheFirstOfEquals) {
  const Sampler sampler({.temperature = 0});
  EXPECT_EQ(sampler.pick(std::vector<float>{1, 3, 3, 2}, 0), 1);
}

TEST(Sampler, EqualSeedsGiveEqualDraws) {
  const Sampler a({.seed = 5}), b({.seed = 5}), c({.seed = 6});
  int different = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(a.pick(kLogits, i), b.pick(kLogits, i));
    different += a.pick(kLogits, i) != c.pick(kLogits, i);
  }
  EXPECT_GT(different, 10);
}

TEST(Sampler, NanLogitsAreNotChosenAndAllNanIsAnError) {
  const float nan = std::nanf("");
  for (std::uint64_t i = 0; i < 50; ++i)
    EXPECT_EQ(Sampler({.temperature = 2}).pick(std::vector<float>{nan, 1, nan}, i), 1);
  EXPECT_THROW(Sampler({}).pick(std::vector<float>{nan, nan}, 0), Error);
}

}  // namespace
}  // namespace lathe::generate
