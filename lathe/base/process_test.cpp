// This process and its machine: cpu_memory.h, stop.h, error.h, result.h.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>

#include "lathe/base/cpu_memory.h"
#include "lathe/base/result.h"
#include "lathe/base/stop.h"

namespace lathe {
namespace {

TEST(Memory, PeakFollowsUse) {
  const std::int64_t before = resident_bytes();
  EXPECT_GT(before, 100'000);
  constexpr std::size_t kSize = 64 << 20;
  {
    const auto block = std::make_unique<char[]>(kSize);
    std::memset(block.get(), 1, kSize);
    asm volatile("" : : "r"(block.get()) : "memory");
    EXPECT_GE(resident_bytes(), before + std::int64_t{kSize} / 2);
  }
  EXPECT_GE(peak_resident_bytes(), before + std::int64_t{kSize} / 2);
  EXPECT_GE(total_memory_bytes(), peak_resident_bytes());
  EXPECT_LE(available_memory_bytes(), total_memory_bytes());
  EXPECT_GT(available_memory_bytes(), 0);
}

TEST(Stop, SourceAsksItsTokens) {
  EXPECT_FALSE(StopToken().requested());
  StopSource source;
  const StopToken token = source.token();
  EXPECT_FALSE(token.requested());
  source.request();
  EXPECT_TRUE(token.requested());
}

TEST(Stop, FirstSignalAsksSecondEnds) {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(pipe[1], STDERR_FILENO);
      const StopToken token = stop_on_signals();
      if (token.requested()) ::_exit(1);
      ::raise(signal_number);
      if (!token.requested()) ::_exit(2);
      ::raise(signal_number);
      ::_exit(3);  // not reached
    }
    ::close(pipe[1]);
    char text[200] = {};
    EXPECT_GT(::read(pipe[0], text, sizeof text - 1), 0);
    EXPECT_NE(std::strstr(text, "stopping"), nullptr);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    EXPECT_EQ(WTERMSIG(status), signal_number);
    ::close(pipe[0]);
  }
}

TEST(Errors, EachCodeHasItsRow) {
  EXPECT_EQ(exit_status(ErrorCode::kInvalidArgument), 2);
  EXPECT_EQ(exit_status(ErrorCode::kIo), 7);
  EXPECT_EQ(exit_status(ErrorCode::kInternal), 70);
  EXPECT_EQ(exit_status(ErrorCode::kCancelled), 130);
  EXPECT_EQ(http_status(ErrorCode::kNotFound), 404);
  EXPECT_EQ(name(ErrorCode::kInternal), "Internal");
  try {
    fail(ErrorCode::kCorrupt, "{} of {}", 1, 2);
  } catch (Error& error) {
    error.within("file x");
    EXPECT_STREQ(error.what(), "file x: 1 of 2");
  }
  EXPECT_THROW(LATHE_CHECK(1 == 2), Error);
}

TEST(Results, HoldAValueOrAnError) {
  const Result<int> good(3);
  EXPECT_TRUE(good.has_value());
  EXPECT_EQ(*good, 3);
  const Result<int> bad(Error(ErrorCode::kCorrupt, "no"));
  EXPECT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().message(), "no");
  EXPECT_EQ(bad.value_or(7), 7);
  EXPECT_THROW(bad.value(), Error);
}

}  // namespace
}  // namespace lathe
