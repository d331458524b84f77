#include <gtest/gtest.h>

#include "lathe/life/plan/machine.h"
#include "lathe/life/recipes/plan_pretrain.h"

namespace lathe::recipes {
namespace {

TEST(ComputeTypes, AreResolvedWithTheTypeOfAllElse) {
  const std::string here = plan::multiplies_bf16() ? "bf16" : "f32";
  EXPECT_EQ(resolved_compute("auto"), here);
  EXPECT_EQ(resolved_compute("int8"), "int8_" + here);
  for (const std::string fixed : {"f32", "bf16", "int8_f32", "int8_bf16"})
    EXPECT_EQ(resolved_compute(fixed), fixed);
  EXPECT_EQ(compute_type("int8_f32"), DType::f32);
  EXPECT_EQ(compute_type("int8_bf16"), DType::bf16);
  EXPECT_TRUE(multiplies_int8("int8"));
  EXPECT_FALSE(multiplies_int8("f32"));
}

PretrainConfig small(const std::string& compute) {
  PretrainConfig c;
  c.model.vocab = 100;
  c.model.layers = 2;
  c.model.width = 64;
  c.model.heads = 2;
  c.model.hidden = 192;
  c.train.context = 32;
  c.train.batch_tokens = 64;
  c.train.tokens = 64;
  c.train.compute = compute;
  c.train.resolve();
  c.model.context = 32;
  c.model.resolve();
  return c;
}

TEST(PlanInt8, CountsTheSameWorkAtAHigherPeak) {
  EXPECT_EQ(flops_per_token(small("int8_f32")), flops_per_token(small("f32")));
  EXPECT_DOUBLE_EQ(mixed_peak(small("f32"), 1e9, 2e9), 1e9);
  EXPECT_DOUBLE_EQ(mixed_peak(small("int8_f32"), 1e9, 1e9), 1e9);
  // Two blocks of 4 * 64 * 64 + 3 * 64 * 192 weights, twice two operations a token of 64.
  const PretrainConfig c = small("int8_f32");
  const double all = 64 * flops_per_token(c), int8 = 64 * 4.0 * 2 * (4 * 64 * 64 + 3 * 64 * 192);
  EXPECT_DOUBLE_EQ(mixed_peak(c, 1e9, 2e9), all / (int8 / 2e9 + (all - int8) / 1e9));
}

}  // namespace
}  // namespace lathe::recipes
