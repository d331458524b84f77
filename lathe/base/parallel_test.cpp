#include "lathe/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/read_soon.h"

namespace lathe {
namespace {

class Parallel : public ::testing::Test {
 protected:
  void TearDown() override { set_thread_count(before_); }
  int before_ = thread_count();
};

TEST_F(Parallel, CoversEveryIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    EXPECT_EQ(thread_count(), threads);
    for (const std::int64_t n : {0, 1, 7, 64, 1000})
      for (const std::int64_t grain : {1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
        parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
          EXPECT_EQ(begin % grain, 0);  // chunks do not depend on the threads
          EXPECT_LE(end - begin, grain);
          EXPECT_LT(thread_index(), threads);
          for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
        });
        for (const auto& count : seen) EXPECT_EQ(count.load(), 1);
      }
  }
}

TEST_F(Parallel, NestsAndTakesSeveralCallers) {
  set_thread_count(3);
  std::atomic<int> count{0};
  const auto work = [&] {
    for (int i = 0; i < 50; ++i)
      parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
        parallel_for(4, 1, [&](std::int64_t, std::int64_t) { ++count; });
      });
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(count.load(), 2 * 50 * 8 * 4);
}

TEST_F(Parallel, ChangesItsSizeWhileWorkersSleepAndSpin) {
  std::atomic<int> count{0};
  for (int i = 0; i < 200; ++i) {
    set_thread_count(1 + i % 4);
    if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    parallel_for(8, 1, [&](std::int64_t, std::int64_t) { ++count; });
  }
  EXPECT_EQ(count.load(), 200 * 8);
}

// A caller's data is gone after the call: no worker may come late.
TEST_F(Parallel, ALimitHoldsForItsJobsAndCanBeRaisedAgain) {
  set_thread_count(4);
  for (const int limit : {2, 4, 1, 3, 2, 9}) {
    const ThreadLimit scope(limit);
    std::atomic<int> highest = 0, done = 0;
    for (int round = 0; round < 50; ++round)
      parallel_for(64, 1, [&](std::int64_t, std::int64_t) {
        int seen = highest.load();
        while (seen < thread_index() && !highest.compare_exchange_weak(seen, thread_index())) {
        }
        ++done;
      });
    EXPECT_LT(highest.load(), limit);
    EXPECT_EQ(done.load(), 50 * 64);
    EXPECT_EQ(thread_count(), 4);
  }
  const ThreadLimit outer(2), inner(3);  // an inner one cannot raise
  set_thread_count(5);                   // while workers sleep aside
  parallel_for(64, 1, [&](std::int64_t, std::int64_t) { EXPECT_LT(thread_index(), 2); });
}

TEST_F(Parallel, FetchesAheadWhateverTheAddresses) {
  const std::vector<float> real(100'000, 1.0f);
  const ReadSoon nowhere{nullptr, 1 << 20}, wild{reinterpret_cast<const void*>(~0ull << 12), 7};
  const std::vector<std::vector<ReadSoon>> hints = {
      {}, {{real.data(), 400'000}}, {nowhere, wild}, {{real.data(), 0}, wild, nowhere, nowhere}};
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    for (const auto& hint : hints) {
      read_soon(hint);
      std::atomic<int> sum = 0;
      for (int round = 0; round < 20; ++round) {
        parallel_for(8, 1,
                     [&](std::int64_t begin, std::int64_t) { sum += static_cast<int>(begin); });
        std::this_thread::sleep_for(std::chrono::microseconds(20));  // workers wait and fetch
      }
      EXPECT_EQ(sum.load(), 20 * 28);
    }
  }
  read_soon({});
}

TEST_F(Parallel, NobodyEntersAClosedJob) {
  set_thread_count(8);
  for (std::int64_t i = 0; i < 20'000; ++i) {
    std::vector<std::int64_t> own(16, 0);
    parallel_for(16, 1, [&, i](std::int64_t begin, std::int64_t) {
      own[static_cast<std::size_t>(begin)] = i + begin;
    });
    for (std::int64_t j = 0; j < 16; ++j) ASSERT_EQ(own[static_cast<std::size_t>(j)], i + j);
  }
}

TEST_F(Parallel, RefusesAbsurdCounts) {
  EXPECT_THROW(set_thread_count(0), Error);
  EXPECT_THROW(set_thread_count(100'000), Error);
}

}  // namespace
}  // namespace lathe
