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
  const double f32 = peak_flops(small("f32")), mixed = peak_flops(small("int8_f32"));
  EXPECT_GT(mixed, 1.05 * f32);
  EXPECT_LT(mixed, plan::peak_int8_ops());
}

}  // namespace
}  // namespace lathe::recipes
