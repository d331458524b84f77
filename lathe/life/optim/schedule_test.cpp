#include "lathe/life/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lathe::optim {
namespace {

ScheduleConfig make(const char* kind) {
  ScheduleConfig c;
  c.kind = kind;
  c.warmup_tokens = 100;
  c.min_ratio = 0.1;
  c.decay_fraction = 0.2;
  return c;
}

TEST(Schedule, WarmsUpLinearlyInTokens) {
  for (const char* kind : {"constant", "cosine", "linear", "wsd"}) {
    EXPECT_DOUBLE_EQ(schedule_factor(make(kind), 0, 10, 1000), 0.1) << kind;
    EXPECT_DOUBLE_EQ(schedule_factor(make(kind), 40, 10, 1000), 0.5) << kind;
    EXPECT_DOUBLE_EQ(schedule_factor(make(kind), 100, 10, 1000), 1.0) << kind;
  }
}

TEST(Schedule, CosineIsHalfwayInTheMiddleAndEndsAtTheMinimum) {
  EXPECT_NEAR(schedule_factor(make("cosine"), 550, 10, 1000), 0.55, 1e-12);
  EXPECT_NEAR(schedule_factor(make("cosine"), 1000, 10, 1000), 0.1, 1e-12);
  EXPECT_NEAR(schedule_factor(make("cosine"), 5000, 10, 1000), 0.1, 1e-12);
}

TEST(Schedule, LinearFallsEvenly) {
  EXPECT_NEAR(schedule_factor(make("linear"), 550, 10, 1000), 0.55, 1e-12);
}

TEST(Schedule, WsdStaysThenDecays) {
  ScheduleConfig c = make("wsd");
  EXPECT_DOUBLE_EQ(schedule_factor(c, 799, 10, 1000), 1.0);
  EXPECT_NEAR(schedule_factor(c, 900, 10, 1000), 0.1 + 0.9 * 0.5, 1e-12);
  c.decay_shape = "sqrt";
  EXPECT_NEAR(schedule_factor(c, 850, 10, 1000), 0.1 + 0.9 * 0.5, 1e-12);
  c.decay_shape = "cosine";
  EXPECT_NEAR(schedule_factor(c, 900, 10, 1000), 0.1 + 0.9 * 0.5, 1e-12);
}

TEST(Schedule, PastDoesNotDependOnTheLengthOfTheRunBeforeTheDecay) {
  EXPECT_EQ(schedule_factor(make("wsd"), 300, 10, 1000),
            schedule_factor(make("wsd"), 300, 10, 9000));
}

}  // namespace
}  // namespace lathe::optim
