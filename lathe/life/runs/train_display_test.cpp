#include "lathe/life/runs/train_display.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lathe/base/log.h"
#include "lathe/life/runs/progress_line.h"
#include "lathe/life/runs/text.h"

namespace lathe::runs {
namespace {

class Screen final : public ProgressOutput {
 public:
  Screen(bool terminal, int width) : terminal_(terminal), width_(width) {}
  bool is_terminal() const override { return terminal_; }
  int width() const override { return width_; }
  void write(std::string_view bytes) override { all += bytes; }

  std::string all;
  void resize(int width) { width_ = width; }

  /// What stands in the terminal's lines, of which each was written from its start.
  std::vector<std::string> lines() const {
    std::vector<std::string> out = {""};
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] == '\n') {
        out.emplace_back();
      } else if (all[i] == '\r') {
        out.back().clear();
      } else if (all.compare(i, 3, "\x1b[K") == 0) {
        i += 2;
      } else {
        out.back() += all[i];
      }
    }
    return out;
  }

 private:
  bool terminal_;
  int width_;
};

StepMetrics step(std::int64_t n) {
  StepMetrics m;
  m.step = n;
  m.tokens = n * 1000;
  m.loss = 3.21434;
  m.bits_per_byte = 1.312;
  m.lr = 3e-4;
  m.tokens_per_second = 5210;
  m.mfu = 0.61;
  m.memory_bytes = 1'920'000'000;
  return m;
}

struct Stage {
  Screen screen;
  FakeClock clock;
  TrainDisplay display;

  Stage(bool terminal, int width, std::int64_t total = 100'000)
      : screen(terminal, width),
        display({.total_tokens = total, .out = &screen, .clock = &clock}) {}
};

TEST(FitLine, DropsTheLightestFirstAndNeverExceedsTheWidth) {
  const std::vector<Fact> facts = {
      {"", "42%", "", 5}, {"loss", "3.21", "", 9}, {"", "1.31", " bits/byte", 8, "bpb", ""}};
  EXPECT_EQ(fit_line(facts, 40), "42%  loss 3.21  1.31 bits/byte");
  EXPECT_EQ(fit_line(facts, 26), "42% loss 3.21 bpb 1.31");
  EXPECT_EQ(fit_line(facts, 18), "loss 3.21 bpb 1.31");
  EXPECT_EQ(fit_line(facts, 9), "loss 3.21");
  for (int width = 2; width < 90; ++width) {
    for (const double share : {-1.0, 0.0, 0.5, 1.0, 7.0}) {
      EXPECT_LE(columns(fit_line(facts, width, share)), width);
    }
  }
}

TEST(FitLine, BarShowsTheShare) {
  const std::vector<Fact> facts = {{"", "50%", "", 1}, {"", "x", "", 1}};
  EXPECT_EQ(fit_line(facts, 18, 0.5), "50%  ━━━━━─────  x");
  EXPECT_EQ(fit_line(facts, 18, 0.55), "50%  ━━━━━╸────  x");
  EXPECT_EQ(fit_line(facts, 18, 1), "50%  ━━━━━━━━━━  x");
}

TEST(TrainDisplay, LiveLineHasEverythingAtEightyColumns) {
  Stage s(true, 80);
  s.clock.advance(10);
  s.display.update(step(10));
  EXPECT_EQ(s.screen.lines().back(),
            " 10% loss 3.2143 bpb 1.3120 lr 3.00e-4 5.21k tok/s MFU 61% 1.92 GB ETA 1m30s");
}

TEST(TrainDisplay, WideTerminalsGetLabelsAndABar) {
  Stage s(true, 132);
  s.clock.advance(10);
  s.display.update(step(10));
  EXPECT_EQ(s.screen.lines().back(),
            " 10%  ━━╸─────────────────────────  step 10  loss 3.2143  1.3120 bits/byte  "
            "lr 3.00e-4  5.21k tok/s  MFU 61%  1.92 GB  ETA 1m30s");
}

TEST(TrainDisplay, NeverWiderThanTheTerminalWhateverItsWidth) {
  Stage s(true, 200);
  for (int width = 200; width >= 12; --width) {
    s.screen.resize(width);
    s.clock.advance(1);
    s.display.update(step(201 - width));
    EXPECT_LT(columns(s.screen.lines().back()), width);
  }
}

TEST(TrainDisplay, PlainLinesAreTenSecondsApart) {
  Stage s(false, 80);
  for (std::int64_t n = 1; n <= 25; ++n) {
    s.clock.advance(1);
    s.display.update(step(n));
  }
  s.display.finish();
  EXPECT_EQ(s.screen.all.find('\r'), std::string::npos);
  EXPECT_EQ(s.screen.all.find('\x1b'), std::string::npos);
  const auto lines = s.screen.lines();
  ASSERT_EQ(lines.size(), 5u);  // steps 1, 11, 21, 25 and the end of the text
  EXPECT_EQ(lines[1],
            "step 11  11.0k/100k tokens (11.0%)  loss 3.2143  1.3120 bits/byte  lr 3.00e-4  5.21k "
            "tok/s  MFU 61%  1.92 GB  ETA 1 min 29 s");
  EXPECT_TRUE(lines[3].starts_with("step 25 "));
}

TEST(TrainDisplay, PlainLinesEverySoManySteps) {
  Screen screen(false, 80);
  FakeClock clock;
  TrainDisplay display({.plain_steps = 10, .out = &screen, .clock = &clock});
  for (std::int64_t n = 1; n <= 21; ++n) display.update(step(n));
  display.finish();
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 4u);  // 1, 11, 21
  EXPECT_TRUE(lines[2].starts_with("step 21  21.0k tokens  loss"));
}

TEST(TrainDisplay, EtaCountsOnlyThisSession) {
  Screen screen(true, 80);
  FakeClock clock;
  TrainDisplay display(
      {.total_tokens = 100'000, .start_tokens = 50'000, .out = &screen, .clock = &clock});
  clock.advance(10);
  display.update(step(60));
  EXPECT_TRUE(screen.lines().back().ends_with("ETA 40.0s")) << screen.lines().back();
}

TEST(TrainDisplay, ValidationSamplesAndNotesStayAboveTheLiveLine) {
  Stage s(true, 60);
  s.clock.advance(1);
  StepMetrics m = step(10);
  m.valid_bpb = 1.25;
  m.valid_loss = 3.5;
  s.display.update(m);
  s.display.sample(10, "Once upon\x1b[2J a time");
  s.display.note("checkpoint written");
  const auto lines = s.screen.lines();
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], "validation at step 10: loss 3.5000, 1.2500 bits per byte (best so far)");
  EXPECT_TRUE(lines[1].starts_with("╭─ sample at step 10 ──"));
  EXPECT_EQ(lines[2], "│ Once upon\xEF\xBF\xBD[2J a time");
  EXPECT_EQ(lines[4], "checkpoint written");
  EXPECT_NE(lines[5].find("loss 3.2143"), std::string::npos);
}

TEST(TrainDisplay, OnlyABetterValidationIsTheBest) {
  Screen screen(false, 80);
  TrainDisplay display({.best_valid_bpb = 1.3, .out = &screen});
  StepMetrics m = step(1);
  m.valid_bpb = 1.4;
  display.update(m);
  EXPECT_EQ(screen.all.find("best so far"), std::string::npos);
  m.valid_bpb = 1.2;
  display.update(m);
  EXPECT_NE(screen.all.find("best so far"), std::string::npos);
}

TEST(TrainDisplay, SkippedStepsAreSaid) {
  Stage s(true, 80);
  StepMetrics m = step(12);
  m.loss = std::nan("");
  m.skipped = "loss is not finite";
  s.display.update(m);
  EXPECT_EQ(s.screen.lines()[0], "step 12 skipped: loss is not finite");
}

TEST(TrainDisplay, FinishLeavesTheLastStepAndIsFinal) {
  Stage s(true, 80);
  s.display.update(step(10));
  s.display.update(step(11));  // too soon to be drawn
  s.display.finish();
  const std::string after = s.screen.all;
  s.display.update(step(12));
  s.display.finish();
  EXPECT_EQ(s.screen.all, after);
  const auto lines = s.screen.lines();
  EXPECT_TRUE(lines[lines.size() - 2].starts_with(" 11% ")) << lines[lines.size() - 2];
  EXPECT_EQ(lines.back(), "");
}

}  // namespace
}  // namespace lathe::runs
