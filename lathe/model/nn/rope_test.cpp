#include "lathe/model/nn/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lathe::nn {
namespace {

struct Sums {
  double first = 0, last = 0, sum = 0, length = 0;
};

Sums sums_of(const RopeSpec& spec, std::int64_t length) {
  Sums s;
  const auto f = rope_frequencies(spec, length);
  s.first = f.front();
  s.last = f.back();
  for (const float x : f) {
    s.sum += x;
    s.length += static_cast<double>(x) * x;
  }
  s.length = std::sqrt(s.length);
  return s;
}

void expect_sums(const RopeSpec& spec, std::int64_t length, const Sums& want) {
  const Sums got = sums_of(spec, length);
  EXPECT_NEAR(got.first, want.first, 1e-6);
  EXPECT_NEAR(got.last, want.last, 1e-9);
  EXPECT_NEAR(got.sum, want.sum, 1e-6);
  EXPECT_NEAR(got.length, want.length, 1e-6);
}

// The numbers were computed in f64 by a program of its own from the formulas of the papers.

TEST(Rope, Llama3) {
  RopeSpec spec{64, 5e5, {}, 131072};
  spec.scaling = {.kind = "llama3", .factor = 32, .original_context = 8192};
  expect_sums(spec, 100, {1.0, 0.000000094, 2.968202298, 1.336741490});
  EXPECT_EQ(rope_attention_factor(spec), 1.0);
}

TEST(Rope, Yarn) {
  RopeSpec spec{64, 1e4, {}, 32768};
  spec.scaling = {.kind = "yarn", .factor = 16, .original_context = 2048};
  expect_sums(spec, 100, {1.0, 0.000008335, 3.913880129, 1.510362910});
  EXPECT_NEAR(rope_attention_factor(spec), 1.2772588722239782, 1e-12);
  spec.scaling.attention_factor = 0.5;
  EXPECT_EQ(rope_attention_factor(spec), 0.5);
}

TEST(Rope, YarnWithoutWholeBorders) {
  RopeSpec spec{64, 1.5e5, {}, 131072};
  spec.scaling = {.kind = "yarn", .factor = 32, .original_context = 4096, .truncate = false};
  expect_sums(spec, 100, {1.0, 0.000000302, 3.180438277, 1.379571572});
  EXPECT_NEAR(rope_attention_factor(spec), 1.3465735902799727, 1e-12);
  spec.scaling.mscale = spec.scaling.mscale_all_dim = 0.7;
  EXPECT_EQ(rope_attention_factor(spec), 1.0);
}

TEST(Rope, DynamicDependsOnTheLengthBeyondTheContext) {
  RopeSpec spec{64, 1e4, {}, 2048};
  spec.scaling = {.kind = "dynamic", .factor = 4, .original_context = 2048};
  expect_sums(spec, 8192, {1.0, 0.000010258, 3.229380241, 1.382208057});
  const RopeSpec plain{64, 1e4, {}, 2048};
  EXPECT_EQ(rope_frequencies(spec, 2048), rope_frequencies(plain, 2048));
}

TEST(Rope, LongropeChangesAtTheOriginalContext) {
  RopeSpec spec{8, 1e4, {}, 131072};
  spec.scaling = {.kind = "longrope", .factor = 32, .original_context = 4096};
  spec.scaling.short_factor = {1, 1, 2, 2};
  spec.scaling.long_factor = {1, 4, 8, 16};
  EXPECT_NEAR(rope_attention_factor(spec), 1.1902380714238083, 1e-12);
  const auto near = rope_frequencies(spec, 4096), far = rope_frequencies(spec, 4097);
  EXPECT_FLOAT_EQ(near[3], 1e-3f / 2);
  EXPECT_FLOAT_EQ(far[3], 1e-3f / 16);
  Rope rope(spec);
  EXPECT_EQ(rope.regime(4096), 0);
  EXPECT_EQ(rope.regime(4097), 1);
  const float before = rope.upto(4096, Device::cpu).sin.data<float>()[7];
  const float behind = rope.upto(4097, Device::cpu).sin.data<float>()[7];
  EXPECT_NE(before, behind);
  EXPECT_EQ(rope.upto(10, Device::cpu).sin.data<float>()[7], before);
}

TEST(Rope, AnOddPartTakesTheNextElementAlong) {
  const RopeSpec spec{5, 1e4, {}, 2048};
  const auto f = rope_frequencies(spec, 1);
  ASSERT_EQ(f.size(), 3u);
  EXPECT_FLOAT_EQ(f[2], std::pow(1e4f, -4.0f / 5));
}

TEST(Rope, LinearDivides) {
  RopeSpec spec{4, 1e4, {}, 2048};
  spec.scaling = {.kind = "linear", .factor = 8};
  const auto f = rope_frequencies(spec, 1);
  EXPECT_FLOAT_EQ(f[0], 1.0f / 8);
  EXPECT_FLOAT_EQ(f[1], 0.01f / 8);
}

}  // namespace
}  // namespace lathe::nn
