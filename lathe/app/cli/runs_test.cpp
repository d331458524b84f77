// `lathe runs` as a person calls it: arguments in, standard output or an Error out.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/temporary_folder.h"
#include "lathe/life/runs/run_index.h"
#include "lathe/life/runs/run_recorder.h"

namespace lathe::cli {
namespace {

namespace fs = std::filesystem;

class Silence final : public ProgressOutput {
 public:
  bool is_terminal() const override { return false; }
  void write(std::string_view) override {}
};

class RunsVerb : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* old = ::getenv("LATHE_HOME")) saved_ = old;
    ::setenv("LATHE_HOME", home_.path().c_str(), 1);
  }
  void TearDown() override {
    saved_.empty() ? ::unsetenv("LATHE_HOME") : ::setenv("LATHE_HOME", saved_.c_str(), 1);
  }

  std::string folder(const std::string& name) const { return home_ / name; }

  void train(const std::string& name, double loss, const std::string& optimizer) {
    fs::create_directories(folder(name));
    std::ofstream(folder(name) + "/config.toml")
        << "seed = 1\n[optimizer]\nkind = \"" << optimizer << "\"\n";
    runs::RecorderOptions options;
    options.folder = folder(name);
    options.parameters = 1'000'000;
    options.display.out = &silence_;
    runs::RunRecorder recorder(options);
    for (std::int64_t n = 1; n <= 60; ++n) {
      runs::StepMetrics m;
      m.step = n;
      m.tokens = n * 1000;
      m.loss = loss;
      if (n % 20 == 0) m.valid_bpb = loss / 3;
      recorder.step(m);
    }
    recorder.finish(runs::RunStatus::kFinished);
  }

  std::string run(std::vector<std::string> arguments) {
    CLI::App root("", "lathe");
    register_runs(root);
    std::reverse(arguments.begin(), arguments.end());
    ::testing::internal::CaptureStdout();
    try {
      root.parse(arguments);
    } catch (...) {
      std::fflush(stdout);
      ::testing::internal::GetCapturedStdout();
      throw;
    }
    std::fflush(stdout);
    return ::testing::internal::GetCapturedStdout();
  }

  std::string error_of(const std::vector<std::string>& arguments) {
    try {
      return "no error: " + run(arguments);
    } catch (const Error& e) {
      return e.message();
    }
  }

 private:
  Silence silence_;
  const TemporaryFolder home_;
  std::string saved_;
};

TEST_F(RunsVerb, ListIsEmptyThenHasEveryRun) {
  EXPECT_NE(run({"runs", "list"}).find("no runs yet"), std::string::npos);
  EXPECT_EQ(run({"runs", "list", "--json"}), "[]\n");
  train("adamw", 3.5, "adamw");
  train("muon", 3.4, "muon");
  const std::string text = run({"runs", "list"});
  EXPECT_NE(text.find("adamw"), std::string::npos);
  EXPECT_NE(text.find("finished"), std::string::npos);
  const Tree json = parse_json(run({"runs", "list", "--json"}), "list");
  ASSERT_EQ(json.items.size(), 2u);
  EXPECT_EQ(json.items[0].find("parameters")->integer, 1'000'000);
  EXPECT_EQ(parse_json(run({"runs", "list", "--json", "--limit", "1"}), "").items.size(), 1u);
  EXPECT_EQ(run({"runs", "list", "--json", "--status", "dead"}), "[]\n");
}

TEST_F(RunsVerb, ShowByNamePrefixAndFolder) {
  train("muon", 3.4, "muon");
  const Tree by_name = parse_json(run({"runs", "show", "muon", "--json"}), "show");
  const std::string id = by_name.find("id")->text;
  EXPECT_EQ(by_name.find("settings")->find("optimizer")->find("kind")->text, "muon");
  for (const std::string& what : {id, id.substr(0, 3), folder("muon"), folder("muon") + "/"}) {
    const std::string text = run({"runs", "show", what});
    EXPECT_TRUE(text.starts_with("muon  (" + id + ")  finished")) << text;
    EXPECT_NE(text.find("optimizer.kind = \"muon\""), std::string::npos);
    EXPECT_NE(text.find("metrics.jsonl"), std::string::npos);
  }
  EXPECT_NE(error_of({"runs", "show", "moun"}).find("nearest: 'muon'"), std::string::npos);
}

TEST_F(RunsVerb, CompareTellsSettingsAndWinner) {
  train("adamw", 3.5, "adamw");
  train("muon", 3.4, "muon");
  const std::string text = run({"runs", "compare", "adamw", "muon"});
  EXPECT_NE(text.find("optimizer.kind  \"adamw\"  \"muon\""), std::string::npos) << text;
  EXPECT_NE(text.find("muon is better"), std::string::npos) << text;
  const Tree json = parse_json(run({"runs", "compare", "adamw", "muon", "adamw", "--json"}), "");
  EXPECT_EQ(json.find("runs")->items.size(), 3u);
  EXPECT_THROW(run({"runs", "compare", "adamw"}), CLI::ParseError);
}

TEST_F(RunsVerb, PlotWritesWhereItSays) {
  train("adamw", 3.5, "adamw");
  train("muon", 3.4, "muon");
  fs::remove(folder("muon") + "/loss.svg");
  EXPECT_EQ(run({"runs", "plot", "muon"}), folder("muon") + "/loss.svg\n");
  EXPECT_TRUE(fs::exists(folder("muon") + "/loss.svg"));
  EXPECT_EQ(run({"runs", "plot", "adamw", "muon", "--out", folder("both.svg")}),
            folder("both.svg") + "\n");
  EXPECT_TRUE(real_files().read_all(folder("both.svg")).starts_with("<svg "));
  EXPECT_NE(error_of({"runs", "plot", "muon", "-o", "/nowhere/x.svg"}).find("/nowhere/"),
            std::string::npos);
}

TEST_F(RunsVerb, FoldersWorkWithoutOrWithABrokenIndex) {
  train("muon", 3.4, "muon");
  const std::string index = runs::default_index_path();
  fs::remove(index);
  fs::remove(index + "-wal");
  fs::remove(index + "-shm");
  EXPECT_NE(run({"runs", "show", folder("muon")}).find("muon"), std::string::npos);
  std::ofstream(index) << std::string(5000, 'x');
  log::set_level(log::Level::kError);
  EXPECT_NE(run({"runs", "show", folder("muon")}).find("muon"), std::string::npos);
  log::set_level(log::Level::kInfo);
  EXPECT_NE(error_of({"runs", "list"}).find("Move it away"), std::string::npos);
}

TEST_F(RunsVerb, ForgetLeavesTheFiles) {
  train("muon", 3.4, "muon");
  EXPECT_NE(run({"runs", "forget", "muon"}).find("off the list"), std::string::npos);
  EXPECT_EQ(run({"runs", "list", "--json"}), "[]\n");
  EXPECT_TRUE(fs::exists(folder("muon") + "/metrics.jsonl"));
  EXPECT_NE(run({"runs", "forget", folder("muon")}).find("was not on the list"), std::string::npos);
}

}  // namespace
}  // namespace lathe::cli
