// Numbers, names and lines that people read: format.h, nearest.h, progress.h, log.h, clock.h.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "lathe/base/clock.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"
#include "lathe/base/nearest.h"
#include "lathe/base/progress.h"

namespace lathe {
namespace {

TEST(Format, Bytes) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.00 kB");
  EXPECT_EQ(human_bytes(12'345'678), "12.3 MB");
  EXPECT_EQ(human_bytes(999'999), "1.00 MB");
  EXPECT_EQ(human_bytes(1.54e9), "1.54 GB");
}

TEST(Format, Counts) {
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(10'649'344), "10.6M");
  EXPECT_EQ(human_count(-1500), "-1.50k");
  EXPECT_EQ(human_count(std::nan("")), "?");
}

TEST(Format, Durations) {
  EXPECT_EQ(human_duration(0.085), "85 ms");
  EXPECT_EQ(human_duration(3.21), "3.2 s");
  EXPECT_EQ(human_duration(59.99), "1 min 00 s");
  EXPECT_EQ(human_duration(245), "4 min 05 s");
  EXPECT_EQ(human_duration(3599.7), "1 h 00 min");
  EXPECT_EQ(human_duration(7620), "2 h 07 min");
  EXPECT_EQ(human_duration(86399), "1 d 00 h");
  EXPECT_EQ(human_duration(-1), "?");
  EXPECT_EQ(human_duration(std::numeric_limits<double>::infinity()), "?");
}

TEST(Format, ShortestReadsBack) {
  for (const double value : {0.1, 1.0, -0.0, 5e-7, 1e300, 5e-324, 123456789.123})
    EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
  EXPECT_EQ(shortest(1), "1.0");
  EXPECT_EQ(shortest(0.1), "0.1");
}

TEST(Nearest, Distances) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("train", "trian"), 1);  // neighbours swapped
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("Train", "train"), 0);
  EXPECT_LE(edit_distance(std::string(1000, 'a'), std::string(1000, 'b')), 64);
}

TEST(Nearest, Suggestions) {
  const std::vector<std::string> verbs = {"train", "tokenizer", "runs", "explain"};
  EXPECT_EQ(nearest("trian", verbs), "train");
  EXPECT_EQ(nearest("token", verbs), "tokenizer");
  EXPECT_EQ(nearest("xyzzy", verbs), "");
  EXPECT_EQ(nearest("", verbs), "");
  EXPECT_EQ(did_you_mean("run", verbs), "; did you mean 'runs'?");
}

class Screen final : public ProgressOutput {
 public:
  explicit Screen(bool terminal) : terminal_(terminal) {}
  bool is_terminal() const override { return terminal_; }
  int width() const override { return 40; }
  void write(std::string_view bytes) override { text += bytes; }
  std::string text;

 private:
  bool terminal_;
};

TEST(Progress, SilentForTwoSeconds) {
  Screen screen(true);
  FakeClock clock;
  {
    Progress progress({.what = "reading", .total = 100}, screen, clock);
    clock.advance(1.9);
    progress.add(100);
  }
  EXPECT_EQ(screen.text, "");
}

TEST(Progress, RewritesOneLineOnATerminal) {
  Screen screen(true);
  FakeClock clock;
  {
    Progress progress({.what = "reading", .total = 4'000'000, .unit = ProgressUnit::bytes}, screen,
                      clock);
    clock.advance(4);
    progress.add(1'000'000);
    EXPECT_EQ(screen.text, "\rreading: 25%, 1.00 MB of 4.00 MB, 250 k\x1b[K");  // clipped to 39
    progress.add(1);                                                            // too soon
    EXPECT_EQ(screen.text.find('\r', 1), std::string::npos);
    clock.advance(4);
    progress.add(2'999'999);
    screen.text.clear();
  }
  EXPECT_EQ(screen.text, "\r\x1b[Kreading: 4.00 MB in 8.0 s, 500 kB/s\n");
}

TEST(Progress, PlainLinesElsewhere) {
  Screen screen(false);
  FakeClock clock;
  {
    Progress progress({.what = "counting"}, screen, clock);
    for (int second = 0; second < 25; ++second) {
      clock.advance(1);
      progress.add(10);
    }
  }
  EXPECT_EQ(screen.text,
            "counting: 20, 10/s, 2.0 s\ncounting: 120, 10/s, 12.0 s\n"
            "counting: 220, 10/s, 22.0 s\ncounting: 250, 10/s, 25.0 s\n");
}

TEST(LiveLine, LogMessagesStandAbove) {
  Screen screen(true);
  FakeClock clock;
  LiveLine line(screen, clock);
  line.show("step 1");
  screen.text.clear();
  ::testing::internal::CaptureStderr();
  log::warning("careful with {}", "this");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "lathe: warning: careful with this\n");
  EXPECT_EQ(screen.text, "\r\x1b[K\rstep 1\x1b[K");  // away, then back
}

TEST(Log, LevelsDropMessages) {
  ::testing::internal::CaptureStderr();
  log::set_level(log::Level::kWarning);
  log::info("unseen");
  log::error("seen {{}}");
  log::set_level(log::Level::kInfo);
  log::info("plain");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "lathe: error: seen {}\nlathe: plain\n");
}

TEST(Clock, Timestamps) {
  EXPECT_EQ(utc_timestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_timestamp(1795451386.9), "2026-11-23T16:29:46Z");
  const double before = steady_clock().seconds();
  EXPECT_GE(steady_clock().seconds(), before);
}

}  // namespace
}  // namespace lathe
