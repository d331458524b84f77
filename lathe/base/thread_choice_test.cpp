#include "lathe/base/thread_choice.h"

#include <gtest/gtest.h>

#include <functional>

namespace lathe {
namespace {

using std::chrono::microseconds;

/// Steps of size 1 whose time depends on the threads; returns how many did not run on the choice.
int run(ThreadChoice& choice, int steps, const std::function<int(int)>& time) {
  int trials = 0;
  for (int i = 0; i < steps; ++i) {
    trials += choice.next() != choice.chosen() ? 1 : 0;
    choice.took(microseconds(time(choice.next())), 1);
  }
  return trials;
}

TEST(ThreadChoice, FindsTheFewestThatAreFastest) {
  ThreadChoice choice(64);
  run(choice, 60, [](int threads) { return threads > 8 ? 1000 + 10 * threads : 8000 / threads; });
  EXPECT_EQ(choice.chosen(), 8);
}

TEST(ThreadChoice, ComesBackWhenMoreAreFasterAgain) {
  ThreadChoice choice(16);
  run(choice, 60, [](int threads) { return 100 * threads; });
  EXPECT_EQ(choice.chosen(), 2);
  run(choice, 5000, [](int threads) { return 16'000 / threads; });
  EXPECT_EQ(choice.chosen(), 16);
}

TEST(ThreadChoice, HopelessTrialsCostAStepAndBecomeRare) {
  ThreadChoice choice(8);
  const int trials = run(choice, 4096, [](int threads) { return 8000 / threads; });
  EXPECT_EQ(choice.chosen(), 8);
  EXPECT_GE(trials, 3);
  EXPECT_LE(trials, 10);
}

TEST(ThreadChoice, SmallDifferencesChangeNothing) {
  ThreadChoice choice(8);
  run(choice, 2000, [](int threads) { return 1000 + threads; });
  EXPECT_EQ(choice.chosen(), 8);
}

TEST(ThreadChoice, StepsOfDifferentSizesAreNotCompared) {
  ThreadChoice choice(8);
  for (int i = 0; i < 500; ++i)  // halves and doubles its size every few steps
    choice.took(microseconds(i / 6 % 2 == 0 ? 100 : 1000), i / 6 % 2);
  EXPECT_EQ(choice.chosen(), 8);
}

TEST(ThreadChoice, OneThreadAgainstTwoIsNotItsBusiness) {
  ThreadChoice choice(2);
  EXPECT_EQ(run(choice, 3000, [](int threads) { return threads; }), 0);
  EXPECT_EQ(choice.next(), 2);
}

}  // namespace
}  // namespace lathe
