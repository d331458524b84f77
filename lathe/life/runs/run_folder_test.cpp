#include "lathe/life/runs/run_folder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/random.h"
#include "lathe/life/runs/compare.h"
#include "lathe/life/runs/report.h"
#include "lathe/life/runs/run_recorder.h"
#include "lathe/life/runs/temp_folder_test.h"

namespace lathe::runs {
namespace {

RunRecord listed(const std::string& id, const std::string& name) {
  RunRecord record;
  record.id = id;
  record.name = name;
  record.folder = "/nowhere/" + id;
  return record;
}

std::string message_of(const std::vector<RunRecord>& indexed, const std::string& what) {
  try {
    return "found " + find_run(real_files(), indexed, what).id;
  } catch (const Error& e) {
    return e.message();
  }
}

TEST(FindRun, ByIdPrefixAndName) {
  const std::vector<RunRecord> runs = {listed("abcd2345", "shelf"), listed("abxy2345", "muon"),
                                       listed("q2345678", "twice"), listed("r2345678", "twice")};
  EXPECT_EQ(message_of(runs, "abcd2345"), "found abcd2345");
  EXPECT_EQ(message_of(runs, "abx"), "found abxy2345");
  EXPECT_EQ(message_of(runs, "q"), "found q2345678");
  EXPECT_EQ(message_of(runs, "shelf"), "found abcd2345");
  EXPECT_EQ(message_of(runs, "ab"),
            "run 'ab': expected one run, got 2: abcd2345 (shelf), abxy2345 (muon); give more of "
            "the id");
  EXPECT_EQ(message_of(runs, "twice"),
            "run 'twice': expected one run, got 2: q2345678 (twice), r2345678 (twice); give more "
            "of the id");
}

TEST(FindRun, UnknownNamesGetTheNearest) {
  const std::vector<RunRecord> runs = {listed("abcd2345", "shelf-10m"), listed("q2345678", "muon")};
  EXPECT_EQ(message_of(runs, "shelf-10n"),
            "run 'shelf-10n': expected an id, the beginning of one, a name or a run folder, found "
            "none; nearest: 'shelf-10m'; `lathe runs list` shows all");
  EXPECT_NE(message_of(runs, "10m").find("nearest: 'shelf-10m'"), std::string::npos);
  EXPECT_EQ(message_of(runs, "zzzzzz").find("nearest"), std::string::npos);
  EXPECT_NE(message_of(runs, "").find("expected an id"), std::string::npos);
}

TEST(FindRun, FoldersNeedNoIndex) {
  const TempFolder temp;
  temp.folder("old");
  temp.write("old/metrics.jsonl",
             "{\"step\":1,\"tokens\":10,\"loss\":4.5,\"valid_bpb\":2.0}\n"
             "{\"step\":2,\"tokens\":20,\"loss\":4.25}\n{\"st");
  const RunRecord run = find_run(real_files(), {}, temp / "old/");
  EXPECT_EQ(run.name, "old");
  EXPECT_EQ(run.step, 2);
  EXPECT_EQ(run.loss, 4.25);
  EXPECT_EQ(run.best_valid_bpb, 2.0);
  EXPECT_EQ(status_of(run), RunStatus::kUnknown);
  const std::string text = show_text(run, real_files());
  EXPECT_NE(text.find("the last line is cut off"), std::string::npos);
  EXPECT_NE(text.find("not known"), std::string::npos);  // no config.toml
  EXPECT_EQ(show_tree(run, real_files()).find("unreadable_lines")->integer, 1);
}

TEST(Settings, AreDottedKeysInTomlSyntax) {
  const TempFolder temp;
  temp.write("config.toml",
             "seed = 1\n[data]\ntrain = [{path = \"a.txt\", weight = 2.0}]\nvalid = [\"v.txt\"]\n");
  const auto settings = settings_of(real_files(), temp.path());
  std::string text;
  for (const auto& [key, value] : settings) text += key + "=" + value + ";";
  EXPECT_NE(text.find("data.train[0].path=\"a.txt\";"), std::string::npos) << text;
  EXPECT_NE(text.find("data.train[0].weight=2.0;"), std::string::npos) << text;
  EXPECT_NE(text.find("data.valid=[\"v.txt\"];"), std::string::npos) << text;
  EXPECT_NE(text.find("seed=1;"), std::string::npos) << text;
}

ComparedRun compared(const std::string& name, double shift, std::uint64_t noise_stream,
                     const std::string& optimizer) {
  ComparedRun run;
  run.record.name = name;
  const RandomStream data(1, "data"), own(noise_stream, "own");
  for (std::int64_t i = 1; i <= 400; ++i) {
    StepMetrics m;
    m.step = i;
    m.tokens = i * 1000;
    const auto index = static_cast<std::uint64_t>(i);
    // Batches differ by 0.3 from each other, but both runs see the same ones.
    m.loss = 4 + 0.3 * data.normal(index) + 0.01 * own.normal(index) + shift;
    if (i % 100 == 0) m.valid_bpb = 1.4 + shift;
    run.rows.push_back(m);
  }
  run.settings = {{"seed", "1"}, {"optimizer.kind", optimizer}, {"train.context", "512"}};
  return run;
}

TEST(Compare, PairingSeesWhatTheNoiseOfBatchesHides) {
  const std::vector<ComparedRun> runs = {compared("a", 0, 2, "adamw"),
                                         compared("b", -0.01, 3, "muon")};
  const auto paired = paired_difference(runs[0], runs[1]);
  ASSERT_TRUE(paired.has_value());
  EXPECT_EQ(paired->steps, 200);
  EXPECT_NEAR(paired->mean, -0.01, 0.003);
  EXPECT_LT(paired->half_width, 0.005);
  EXPECT_TRUE(paired->certain());
  EXPECT_TRUE(paired->same_data);
}

TEST(Compare, IntervalCoversTheTruthAboutNineteenTimesInTwenty) {
  int covered = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto p =
        paired_difference(compared("a", 0, 1000 + i, "x"), compared("b", 0.01, 5000 + i, "x"));
    covered += std::abs(p->mean - 0.01) <= p->half_width ? 1 : 0;
  }
  EXPECT_GE(covered, 180);
  EXPECT_LE(covered, 199);
}

TEST(Compare, SaysWhatDiffersAndWhoIsBetter) {
  const std::vector<ComparedRun> runs = {compared("a", 0, 2, "\"adamw\""),
                                         compared("b", -0.05, 3, "\"muon\"")};
  const Comparison c = compare_runs(runs);
  ASSERT_EQ(c.settings.size(), 1u);
  EXPECT_EQ(c.settings[0].key, "optimizer.kind");
  ASSERT_EQ(c.at_tokens.size(), 4u);
  EXPECT_EQ(c.at_tokens[3].tokens, 400'000);
  EXPECT_DOUBLE_EQ(c.at_tokens[1].valid_bpb[1], 1.35);
  const std::string text = comparison_text(c, runs);
  EXPECT_NE(text.find("optimizer.kind  \"adamw\"  \"muon\""), std::string::npos) << text;
  EXPECT_NE(text.find("b is better"), std::string::npos) << text;
  const Tree json = parse_json(print_json(comparison_tree(c, runs)), "test");
  EXPECT_EQ(json.find("runs")->items.size(), 2u);
  EXPECT_LT(json.find("paired_with_first")->items[0].find("high")->real, 0);
}

TEST(Compare, RunWithItselfIsEqualAtEveryStep) {
  const std::vector<ComparedRun> runs = {compared("a", 0, 2, "x"), compared("a", 0, 2, "x")};
  const std::string text = comparison_text(compare_runs(runs), runs);
  EXPECT_NE(text.find("no setting differs"), std::string::npos);
  EXPECT_NE(text.find("equal at every step"), std::string::npos);
}

TEST(Compare, RunsWithoutCommonTokens) {
  std::vector<ComparedRun> runs = {compared("a", 0, 2, "x"), compared("b", 0, 3, "x")};
  runs[1].rows.clear();
  runs[1].settings.clear();
  const std::string text = comparison_text(compare_runs(runs), runs);
  EXPECT_NE(text.find("no tokens that all runs have seen"), std::string::npos);
  EXPECT_NE(text.find("fewer than 20 steps"), std::string::npos);
}

TEST(Report, ListIsAnAlignedTable) {
  RunRecord a = listed("abcd2345", "shelf"), b = listed("q2345678", "\x1b[31mred");
  a.status = b.status = "finished";
  a.parameters = 10'432'512;
  a.tokens = 52'428'800;
  a.loss = 3.25;
  const std::string text = list_text({a, b}, real_files(), 0);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_NE(text.find("abcd2345  shelf"), std::string::npos);
  EXPECT_NE(text.find("finished, folder gone"), std::string::npos);
  EXPECT_NE(text.find("10.4M   52.4M  3.2500"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(list_text({}, real_files(), 0).find("no runs yet"), std::string::npos);
  EXPECT_EQ(print_json(list_tree({})), "[]");
  EXPECT_EQ(parse_json(print_json(list_tree({a, b})), "test").items.size(), 2u);
}

class Nowhere final : public ProgressOutput {
 public:
  bool is_terminal() const override { return false; }
  void write(std::string_view) override {}
};

RecorderOptions options_in(const TempFolder& temp, Nowhere& out) {
  RecorderOptions options;
  options.folder = temp.folder("run");
  options.index_path = temp / "runs.sqlite";
  options.config = "llama 2x32";
  options.display.out = &out;
  options.display.total_tokens = 10'000;
  return options;
}

StepMetrics step(std::int64_t n, std::optional<double> valid = {}) {
  StepMetrics m;
  m.step = n;
  m.tokens = n * 1000;
  m.loss = 5 - 0.1 * static_cast<double>(n);
  m.valid_bpb = valid;
  return m;
}

TEST(RunRecorder, WholeLifeWithAKillAndAResume) {
  const TempFolder temp;
  Nowhere out;
  RecorderOptions options = options_in(temp, out);
  std::string id;
  {
    RunRecorder recorder(options);
    for (int n = 1; n <= 6; ++n) {
      recorder.step(n == 4 ? step(n, 1.25) : step(n));
      if (n == 4) recorder.checkpoint();
    }
    id = recorder.record().id;
    const auto runs = indexed_runs(options.index_path);
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(status_of(runs[0]), RunStatus::kRunning);
    // The destructor stands for what a kill would not even do.
  }
  EXPECT_EQ(indexed_runs(options.index_path)[0].status, "failed");
  options.resume_step = 4;
  {
    RunRecorder recorder(options);
    EXPECT_EQ(recorder.record().id, id);
    EXPECT_EQ(recorder.record().tokens, 4000);
    EXPECT_EQ(recorder.record().best_valid_bpb, 1.25);
    for (int n = 5; n <= 10; ++n) recorder.step(n == 8 ? step(n, 1.5) : step(n));
    recorder.sample(10, "Once");
    recorder.finish(RunStatus::kFinished);
  }
  const MetricsFile metrics = metrics_of(real_files(), options.folder);
  ASSERT_EQ(metrics.rows.size(), 10u);
  EXPECT_EQ(metrics.problem_count, 0);
  const RunRecord run = find_run(real_files(), indexed_runs(options.index_path), "run");
  EXPECT_EQ(run.id, id);
  EXPECT_EQ(run.status, "finished");
  EXPECT_EQ(run.step, 10);
  EXPECT_EQ(run.valid_bpb, 1.5);
  EXPECT_EQ(run.best_valid_bpb, 1.25);
  int events = 0;
  for (const FolderEntry& entry : entries_of(real_files(), options.folder)) {
    events += entry.name.starts_with("events.out.tfevents.") ? 1 : 0;
  }
  EXPECT_EQ(events, 2);
  EXPECT_NE(real_files().read_all(options.folder + "/loss.svg").find("llama 2x32"),
            std::string::npos);
}

TEST(RunRecorder, QuietWritesMetricsAndEventsOnly) {
  const TempFolder temp;
  Nowhere out;
  RecorderOptions options = options_in(temp, out);
  options.quiet = true;
  {
    RunRecorder recorder(options);
    recorder.step(step(1));
    recorder.checkpoint();
    recorder.finish(RunStatus::kFinished);
  }
  const auto entries = entries_of(real_files(), options.folder);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_TRUE(entries[0].name.starts_with("events."));
  EXPECT_EQ(entries[1].name, "metrics.jsonl");
  EXPECT_FALSE(std::filesystem::exists(options.index_path));
}

TEST(RunRecorder, NothingAroundTheMetricsStopsTraining) {
  log::set_level(log::Level::kError);
  const TempFolder temp;
  temp.write("runs.sqlite", std::string(5000, 'x'));
  Nowhere out;
  const RecorderOptions options = options_in(temp, out);
  std::filesystem::create_directories(options.folder + "/loss.svg/in_the_way");
  std::filesystem::create_directories(options.folder + "/run.json/in_the_way");
  {
    RunRecorder recorder(options);
    for (int n = 1; n <= 3; ++n) recorder.step(step(n));
    recorder.checkpoint();
    recorder.finish(RunStatus::kStopped, "Ctrl-C");
  }
  EXPECT_EQ(metrics_of(real_files(), options.folder).rows.size(), 3u);
  log::set_level(log::Level::kInfo);
}

}  // namespace
}  // namespace lathe::runs
