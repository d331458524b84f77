#include "lathe/life/train/gradients.h"

#include <gtest/gtest.h>

#include "lathe/engine/ops/ops.h"

namespace lathe::train {
namespace {

using autograd::Init;
using autograd::Parameter;
using autograd::Role;

/// Adds `value` to every use of the parameter, as a micro-batch does.
void contribute(const Parameter& p, float value) {
  for (int use = 0; use < p.uses(); ++use)
    ops::add_acc_(p.accumulator(use), ops::full(p.shape(), value, DType::f32));
}

float total(Parameter& p, const std::vector<float>& groups) {
  Gradients gradients({&p});
  gradients.begin_step();
  for (const float value : groups) {
    contribute(p, value);
    if (groups.size() > 1) gradients.end_group();
  }
  gradients.end_step();
  return p.gradient().data<float>()[0];
}

Parameter make(int uses) {
  Parameter p({3}, Role::vector, Init::zeros());
  for (int i = 1; i < uses; ++i) p.add_use();
  p.allocate(DType::f32, Device::cpu);
  return p;
}

TEST(Gradients, GroupsAreAddedInAFixedBinaryTree) {
  Parameter p = make(1);
  const float a = 1e8f, b = 1.0f, c = -1e8f, d = 0.25f, e = 3.0f;
  EXPECT_EQ(total(p, {a, b, c, d}), (a + b) + (c + d));
  EXPECT_EQ(total(p, {a, b, c}), (a + b) + c);
  EXPECT_EQ(total(p, {a, b, c, d, e}), ((a + b) + (c + d)) + e);
  EXPECT_EQ(total(p, {e}), e);
}

TEST(Gradients, UsesOfASharedParameterAreAddedOnce) {
  Parameter p = make(2);
  EXPECT_EQ(total(p, {1.5f}), 3.0f);
  EXPECT_EQ(total(p, {1.5f, 1.0f}), 5.0f);
}

TEST(Gradients, AStepBeginsFromZero) {
  Parameter p = make(1);
  Gradients gradients({&p});
  for (int step = 0; step < 2; ++step) {
    gradients.begin_step();
    contribute(p, 2.0f);
    gradients.end_step();
    EXPECT_EQ(p.gradient().data<float>()[1], 2.0f);
  }
}

TEST(Gradients, FrozenParametersHaveNone) {
  Parameter p = make(1);
  p.set_trainable(false);
  const Gradients gradients({&p});
  EXPECT_FALSE(p.has_gradients());
}

}  // namespace
}  // namespace lathe::train
