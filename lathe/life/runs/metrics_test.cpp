#include "lathe/life/runs/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/base/memory_files.h"
#include "lathe/base/random.h"
#include "tests/fuzz/metrics_fuzz.cpp"

namespace lathe::runs {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

StepMetrics step(std::int64_t n) {
  StepMetrics m;
  m.step = n;
  m.tokens = n * 1024;
  m.loss = 10 - 0.1 * static_cast<double>(n);
  m.lr = 3e-4;
  m.tokens_per_second = 5000;
  return m;
}

std::string lines(std::int64_t from, std::int64_t to) {
  std::string text;
  for (std::int64_t n = from; n <= to; ++n) text += to_json_line(step(n)) + "\n";
  return text;
}

TEST(Metrics, LineHasTheKeysInOrderAndShortestNumbers) {
  StepMetrics m = step(120);
  m.loss = 0.1 + 0.2;
  m.valid_bpb = 1.25;
  m.grad_norm = std::numeric_limits<double>::infinity();
  m.skipped = "loss \"nan\"\n";
  m.extra = {{"margin", 0.5}, {"loss", 7.0}};
  EXPECT_EQ(to_json_line(m),
            "{\"step\":120,\"tokens\":122880,\"loss\":0.30000000000000004,\"lr\":0.0003,"
            "\"tokens_per_second\":5000.0,\"grad_norm\":null,\"seconds\":0.0,\"valid_bpb\":1.25,"
            "\"skipped\":\"loss \\\"nan\\\"\\n\",\"margin\":0.5}");
}

TEST(Metrics, ReadsBackExactlyWhatWasWritten) {
  const RandomStream random(7, "metrics");
  for (std::uint64_t i = 0; i < 300; ++i) {
    StepMetrics m = step(static_cast<std::int64_t>(i) + 1);
    m.loss = random.normal(5 * i) * std::pow(10, random.normal(5 * i + 1) * 20);
    m.bits_per_byte = random.uniform(5 * i + 2);
    m.memory_bytes = static_cast<std::int64_t>(random.word(5 * i + 3) >> 2);
    m.valid_loss = random.normal(5 * i + 4);
    m.extra = {{"é\xff", m.loss}};
    const MetricsFile file = parse_metrics(to_json_line(m) + "\n");
    ASSERT_EQ(file.rows.size(), 1u) << to_json_line(m);
    const StepMetrics& back = file.rows[0];
    EXPECT_EQ(back.loss, m.loss);
    EXPECT_EQ(back.bits_per_byte, m.bits_per_byte);
    EXPECT_EQ(back.memory_bytes, m.memory_bytes);
    EXPECT_EQ(back.valid_loss, m.valid_loss);
    EXPECT_EQ(back.valid_bpb, std::nullopt);
    ASSERT_EQ(back.extra.size(), 1u);
    EXPECT_EQ(back.extra[0].second, m.loss);
  }
}

TEST(Metrics, NullIsNotANumber) {
  StepMetrics m = step(1);
  m.loss = kNan;
  m.valid_bpb = kNan;
  const MetricsFile file = parse_metrics(to_json_line(m));
  ASSERT_EQ(file.rows.size(), 1u);
  EXPECT_TRUE(std::isnan(file.rows[0].loss));
  ASSERT_TRUE(file.rows[0].valid_bpb.has_value());
  EXPECT_TRUE(std::isnan(*file.rows[0].valid_bpb));
}

TEST(Metrics, ReportsBrokenLinesAndGoesOn) {
  const std::string text = lines(1, 2) + "not json\n[1,2]\n{\"tokens\":5}\n{\"step\":-1}\n" +
                           "{\"step\":3.5}\n{\"step\":4,\"loss\":\"x\"}\n\n" + lines(5, 5) +
                           "{\"step\":6,\"tok";
  const MetricsFile file = parse_metrics(text);
  ASSERT_EQ(file.rows.size(), 3u);
  EXPECT_EQ(file.rows[2].step, 5);
  EXPECT_EQ(file.problem_count, 7);
  ASSERT_EQ(file.problems.size(), 7u);
  EXPECT_EQ(file.problems[0].line, 3);
  EXPECT_EQ(file.problems[2].what, "'step' is missing");
  EXPECT_EQ(file.problems[5].what, "'loss' has the wrong type");
  EXPECT_EQ(file.problems[6].line, 11);
  EXPECT_EQ(file.problems[6].what, "the last line is cut off");
  EXPECT_TRUE(file.broken_last_line);
}

TEST(Metrics, EveryTruncationIsReadUpToTheCut) {
  const std::string text = lines(1, 3);
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string_view cut = std::string_view(text).substr(0, size);
    const MetricsFile file = parse_metrics(cut);
    const auto whole = std::count(cut.begin(), cut.end(), '\n');
    const bool all_but_the_feed = size < text.size() && text[size] == '\n' && size > 0;
    EXPECT_EQ(static_cast<std::int64_t>(file.rows.size()), whole + (all_but_the_feed ? 1 : 0));
    const bool at_end_of_line = size == 0 || text[size - 1] == '\n' || all_but_the_feed;
    EXPECT_EQ(file.broken_last_line, !at_end_of_line) << size;
  }
}

TEST(Metrics, ManyProblemsAreCountedButNotKept) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "x\n";
  const MetricsFile file = parse_metrics(text);
  EXPECT_EQ(file.problem_count, 1000);
  EXPECT_EQ(file.problems.size(), 20u);
}

TEST(Metrics, LinesOfOneStepAreMerged) {
  const MetricsFile file =
      parse_metrics(lines(1, 2) + "{\"step\":2,\"valid_bpb\":1.5,\"loss\":null}\n" + lines(3, 3));
  ASSERT_EQ(file.rows.size(), 3u);
  EXPECT_EQ(file.rows[1].loss, step(2).loss);
  EXPECT_EQ(file.rows[1].tokens, 2048);
  EXPECT_EQ(file.rows[1].valid_bpb, 1.5);
}

TEST(Metrics, GoingBackInStepsReplacesWhatIsRepeated) {
  const MetricsFile file = parse_metrics(lines(1, 9) + lines(4, 6));
  ASSERT_EQ(file.rows.size(), 6u);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(file.rows[i].step, i + 1);
}

TEST(MetricsWriter, ResumeDropsLaterAndBrokenLines) {
  MemoryFiles files;
  write_file_atomically(files, "m.jsonl", lines(1, 9) + "{\"step\":10,\"to");
  MetricsWriter writer(files, "m.jsonl", 6);
  writer.write(step(7));
  EXPECT_EQ(files.read_all("m.jsonl"), lines(1, 7));
}

TEST(MetricsWriter, CompleteLineWithoutItsFeedIsKept) {
  MemoryFiles files;
  std::string text = lines(1, 3);
  text.pop_back();
  write_file_atomically(files, "m.jsonl", text);
  MetricsWriter writer(files, "m.jsonl", 3);
  writer.write(step(4));
  EXPECT_EQ(files.read_all("m.jsonl"), lines(1, 4));
}

TEST(MetricsWriter, FreshStartEmptiesTheFile) {
  MemoryFiles files;
  write_file_atomically(files, "m.jsonl", lines(1, 3));
  MetricsWriter writer(files, "m.jsonl");
  EXPECT_EQ(files.read_all("m.jsonl"), "");
}

TEST(MetricsWriter, ResumeOfAnIntactFileDoesNotRewriteIt) {
  MemoryFiles memory;
  write_file_atomically(memory, "m.jsonl", lines(1, 3));
  FaultyFiles files(memory, {});
  MetricsWriter writer(files, "m.jsonl", 3);
  EXPECT_EQ(files.operations(), 1);  // opened, nothing else
}

// At whichever operation the machine stops: every line written before the sync is there, and the
// resumed file holds no line twice and none that is later than the checkpoint.
TEST(MetricsWriter, SyncedLinesSurviveAPowerCutAtAnyOperation) {
  log::set_level(log::Level::kError);
  for (const AfterCrash what : {AfterCrash::only_synced, AfterCrash::names_first}) {
    for (int at = 0; at < 16; ++at) {
      MemoryFiles memory;
      write_file_atomically(memory, "m.jsonl", lines(1, 9));
      memory.sync_directory(".");
      FaultyFiles files(memory, {FaultyFiles::Fault::crash, at});
      try {
        MetricsWriter writer(files, "m.jsonl", 5);
        for (std::int64_t n = 6; n <= 8; ++n) writer.write(step(n));
        writer.sync();
        writer.write(step(9));
      } catch (const Error&) {
      }
      const bool synced = files.operations() <= at;
      memory.crash(what);
      const std::string left = memory.exists("m.jsonl") ? memory.read_all("m.jsonl") : "";
      EXPECT_TRUE(left.starts_with(lines(1, synced ? 8 : 5))) << at << "\n" << left;
      const MetricsWriter again(memory, "m.jsonl", 5);
      EXPECT_EQ(memory.read_all("m.jsonl"), lines(1, 5)) << at;
    }
  }
  log::set_level(log::Level::kInfo);
}

TEST(MetricsWriter, FullDiskLosesNoLineOnceThereIsRoomAgain) {
  log::set_level(log::Level::kError);
  for (const auto fault : {FaultyFiles::Fault::error, FaultyFiles::Fault::short_write}) {
    MemoryFiles memory;
    FaultyFiles files(memory, {fault, 3, ENOSPC});
    MetricsWriter writer(files, "m.jsonl");
    for (std::int64_t n = 1; n <= 6; ++n) writer.write(step(n));
    const MetricsFile file = read_metrics(memory, "m.jsonl");
    ASSERT_EQ(file.rows.size(), 6u);
    for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(file.rows[i].loss, step(i + 1).loss);
    EXPECT_EQ(file.problem_count, fault == FaultyFiles::Fault::error ? 0 : 1);
    const MetricsWriter again(memory, "m.jsonl", 6);
    EXPECT_EQ(memory.read_all("m.jsonl"), lines(1, 6));
  }
  log::set_level(log::Level::kInfo);
}

TEST(MetricsWriter, MissingFolderIsAnErrorThatNamesThePath) {
  try {
    MetricsWriter writer(real_files(), "/nowhere/at/all/m.jsonl");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("/nowhere/at/all/m.jsonl"), std::string::npos);
  }
}

TEST(MetricsFuzz, MutatedFilesKeepTheLaws) {
  const RandomStream random(11, "metrics_fuzz");
  const std::string seed_text = lines(1, 6) + "{\"step\":7,\"extra\":[[{}]],\"skipped\":\"é\"}\n";
  std::uint64_t draw = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = seed_text;
    const std::uint64_t edits = 1 + random.below(6, draw++);
    for (std::uint64_t e = 0; e < edits && !text.empty(); ++e) {
      const std::size_t at = random.below(text.size(), draw++);
      const std::uint64_t kind = random.below(4, draw++);
      if (kind == 0) text[at] = static_cast<char>(random.below(256, draw++));
      if (kind == 1) text.erase(at, random.below(20, draw++));
      if (kind == 2) text.insert(at, text.substr(random.below(text.size(), draw++), 30));
      if (kind == 3) text.insert(at, "\n");
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  }
}

}  // namespace
}  // namespace lathe::runs
