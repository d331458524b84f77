#include "lathe/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace lathe {
namespace {

TEST(Random, ADrawIsAFunctionOfSeedNameAndIndex) {
  const RandomStream a(1, "x"), b(1, "x"), other_name(1, "y"), other_seed(2, "x");
  std::set<std::uint64_t> words;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(a.word(i), b.word(i));
    words.insert({a.word(i), other_name.word(i), other_seed.word(i)});
  }
  EXPECT_EQ(words.size(), 3000u);
}

TEST(Random, UniformHasItsMoments) {
  const RandomStream r(3, "uniform");
  constexpr int kDraws = 100'000;
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double u = r.uniform(i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u, squares += u * u;
  }
  // Standard errors: sqrt(1/12 / n) = 0.0009 and sqrt(4/45 / n) = 0.0009; five of them.
  EXPECT_NEAR(sum / kDraws, 0.5, 0.0046);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.0048);
}

TEST(Random, NormalHasItsMoments) {
  const RandomStream r(4, "normal");
  constexpr int kDraws = 100'000;
  double sum = 0, squares = 0, fourth = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double z = r.normal(i);
    sum += z, squares += z * z, fourth += z * z * z * z;
  }
  // Variances of z, z^2, z^4 are 1, 2, 96; five standard errors.
  EXPECT_NEAR(sum / kDraws, 0, 0.016);
  EXPECT_NEAR(squares / kDraws, 1, 0.023);
  EXPECT_NEAR(fourth / kDraws, 3, 0.16);
}

TEST(Random, BelowStaysBelow) {
  const RandomStream r(5, "below");
  int counts[3] = {};
  for (std::uint64_t i = 0; i < 30'000; ++i) ++counts[r.below(3, i)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 410);  // five of sqrt(n p q) = 82
  EXPECT_EQ(r.below(1, 7), 0u);
}

TEST(Random, PermuteIsAPermutation) {
  for (const std::uint64_t n : {1, 2, 3, 4, 5, 17, 64, 1000, 4097}) {
    std::set<std::uint64_t> seen;
    std::uint64_t fixed = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t j = permute(i, n, 9);
      EXPECT_LT(j, n);
      seen.insert(j);
      fixed += i == j ? 1 : 0;
    }
    EXPECT_EQ(seen.size(), n);
    if (n >= 1000) {  // expected: 1 in a random permutation
      EXPECT_LT(fixed, 10u);
    }
  }
  EXPECT_NE(permute(5, 1000, 1), permute(5, 1000, 2));
}

}  // namespace
}  // namespace lathe
