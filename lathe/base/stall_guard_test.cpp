#include "lathe/base/stall_guard.h"

#include <gtest/gtest.h>

#include <vector>

namespace lathe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

StallGuard::Time at(std::int64_t us) { return StallGuard::Time(microseconds(1'000'000 + us)); }

TEST(StallGuard, WorksAloneOnceStallsAddUp) {
  StallGuard guard;
  guard.job(at(0), at(100), at(3000));
  EXPECT_FALSE(guard.alone(at(3000)));
  guard.job(at(5000), at(5100), at(7000));
  EXPECT_TRUE(guard.alone(at(7000)));
  EXPECT_TRUE(guard.alone(at(26'000)));
  EXPECT_FALSE(guard.alone(at(27'000)));
}

TEST(StallGuard, EachTrialThatFailsDoublesThePause) {
  StallGuard guard;
  std::int64_t now = 0;
  std::vector<std::int64_t> pauses;
  for (int trial = 0; trial < 7; ++trial) {
    guard.job(at(now), at(now + 10), at(now + 6000));
    now += 6000;
    std::int64_t pause = 0;
    while (guard.alone(at(now + pause))) pause += 1000;
    pauses.push_back(pause / 1000);
    now += pause;
  }
  EXPECT_EQ(pauses, (std::vector<std::int64_t>{20, 40, 80, 160, 320, 320, 320}));
}

TEST(StallGuard, UnevenAndSlowChunksAreNoStalls) {
  StallGuard guard;
  for (std::int64_t i = 0; i < 100; ++i) {
    guard.job(at(i * 1000), at(i * 1000 + 100), at(i * 1000 + 390));        // short waits
    guard.job(at(i * 1000), at(i * 1000 + 10'000), at(i * 1000 + 19'000));  // long work, as long
    EXPECT_FALSE(guard.alone(at(i * 1000 + 19'000)));
  }
}

TEST(StallGuard, RareStallsAreForgotten) {
  StallGuard guard;
  for (std::int64_t i = 0; i < 20; ++i) {
    const std::int64_t now = i * 100'000;
    guard.job(at(now), at(now + 10), at(now + 3000));
    EXPECT_FALSE(guard.alone(at(now + 3000)));
  }
}

}  // namespace
}  // namespace lathe
