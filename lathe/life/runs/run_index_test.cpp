#include "lathe/life/runs/run_index.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/base/random.h"
#include "lathe/life/runs/temp_folder_test.h"

namespace lathe::runs {
namespace {

struct Quiet {
  Quiet() { log::set_level(log::Level::kError); }
  ~Quiet() { log::set_level(log::Level::kInfo); }
};

RunRecord record_in(const std::string& folder, const std::string& name = "demo") {
  RunRecord record;
  record.name = name;
  record.folder = folder;
  record.parameters = 10'432'512;
  record.config = "llama 6x256; 'quoted' \"twice\"";
  return record;
}

void set_version(const std::string& path, int version) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  const std::string sql = "PRAGMA user_version=" + std::to_string(version);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
}

TEST(RunIndex, KeepsEveryMember) {
  const TempFolder temp;
  const std::string path = temp / "deep/er/runs.sqlite";
  RunIndex index(path);
  RunRecord record = record_in(temp.folder("a"));
  index.begin(record, false);
  EXPECT_EQ(record.id.size(), 8u);
  EXPECT_EQ(record.process(), this_process());
  record.take_step({.step = 7, .tokens = 7000, .loss = 3.25, .valid_bpb = 1.5});
  record.tokens_per_second = 5210.5;
  record.message = "";
  index.update(record);
  const auto runs = indexed_runs(path);
  ASSERT_EQ(runs.size(), 1u);
  std::string expected, got;
  RunRecord::each(record, [&](const char*, const auto& member) {
    if constexpr (requires { member.has_value(); }) {
      expected += fmt::format("{};", member.value_or(-1));
    } else {
      expected += fmt::format("{};", member);
    }
  });
  RunRecord::each(runs[0], [&](const char*, const auto& member) {
    if constexpr (requires { member.has_value(); }) {
      got += fmt::format("{};", member.value_or(-1));
    } else {
      got += fmt::format("{};", member);
    }
  });
  EXPECT_EQ(got, expected);
}

TEST(RunIndex, NewestFirst) {
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  RunIndex index(path);
  for (const std::int64_t age : {3, 1, 2}) {
    RunRecord record = record_in(temp.folder(std::to_string(age)), std::to_string(age));
    record.created = 1'700'000'000 - age;
    index.begin(record, false);
  }
  std::string order;
  for (const RunRecord& run : indexed_runs(path)) order += run.name;
  EXPECT_EQ(order, "123");
}

TEST(RunIndex, ResumeKeepsTheIdAndAFreshRunReplacesIt) {
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  RunIndex index(path);
  RunRecord first = record_in(temp.folder("a"));
  index.begin(first, false);
  RunRecord resumed = record_in(temp / "a");  // run.json was lost
  index.begin(resumed, true);
  EXPECT_EQ(resumed.id, first.id);
  RunRecord fresh = record_in(temp / "a");
  index.begin(fresh, false);
  EXPECT_NE(fresh.id, first.id);
  const auto runs = indexed_runs(path);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].id, fresh.id);
}

TEST(RunIndex, AMovedFolderKeepsItsIdAndACopyGetsItsOwn) {
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  RunIndex index(path);
  RunRecord first = record_in(temp.folder("a"));
  index.begin(first, false);
  save_record(real_files(), first);

  std::filesystem::rename(temp / "a", temp / "b");
  RunRecord moved = *load_record(real_files(), temp / "b");
  EXPECT_EQ(moved.folder, temp / "b");
  index.begin(moved, true);
  save_record(real_files(), moved);
  EXPECT_EQ(moved.id, first.id);

  std::filesystem::copy(temp / "b", temp / "c");
  RunRecord copied = *load_record(real_files(), temp / "c");
  index.begin(copied, true);
  EXPECT_NE(copied.id, first.id);
  EXPECT_EQ(indexed_runs(path).size(), 2u);
}

TEST(RunIndex, AMissingIndexIsEmptyAndReadingMakesNone) {
  const TempFolder temp;
  EXPECT_TRUE(indexed_runs(temp / "runs.sqlite").empty());
  EXPECT_FALSE(std::filesystem::exists(temp / "runs.sqlite"));
  EXPECT_TRUE(indexed_runs("").empty());
  EXPECT_FALSE(forget_run("abc", temp / "runs.sqlite"));
}

TEST(RunIndex, CorruptFilesCostAWarningAndSayWhatToDo) {
  const Quiet quiet;
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  temp.write("runs.sqlite", std::string(5000, 'x'));
  RunIndex index(path);
  EXPECT_FALSE(index.usable());
  RunRecord record = record_in(temp.folder("a"));
  index.begin(record, false);
  EXPECT_EQ(record.id.size(), 8u);  // the run has a name for itself all the same
  index.update(record);
  index.finish(record);
  try {
    indexed_runs(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kCorrupt);
    EXPECT_NE(e.message().find("Move it away"), std::string::npos);
  }
}

// Bytes changed anywhere in a real database: never a crash, never an escaping exception from the
// trainer's side, and for the reader a list or an Error.
TEST(RunIndex, AnyDamageIsSurvived) {
  const Quiet quiet;
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  {
    RunIndex index(path);
    for (int i = 0; i < 40; ++i) {
      RunRecord record = record_in(temp / std::to_string(i));
      index.begin(record, false);
    }
  }
  const std::string good = real_files().read_all(path);
  const RandomStream random(17, "damage");
  int errors = 0;
  for (std::uint64_t round = 0; round < 30; ++round) {
    std::string bad = good;
    if (round % 3 == 0) bad.resize(random.below(bad.size(), 100 * round));
    for (std::uint64_t k = 1; k < 20 && !bad.empty(); ++k) {
      const std::size_t limit =
          round % 2 == 0 ? std::min<std::size_t>(bad.size(), 200) : bad.size();
      bad[random.below(limit, 100 * round + 2 * k)] =
          static_cast<char>(random.below(256, 100 * round + 2 * k + 1));
    }
    const std::string name = "bad" + std::to_string(round);
    temp.write(name, bad);
    try {
      indexed_runs(temp / name);
    } catch (const Error&) {
      ++errors;
    }
    RunIndex index(temp / name);
    RunRecord record = record_in(temp / "x");
    index.begin(record, true);
    index.finish(record);
    EXPECT_FALSE(record.id.empty());
  }
  EXPECT_GT(errors, 10);
}

TEST(RunIndex, ALaterSchemaIsLeftAlone) {
  const Quiet quiet;
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  { RunIndex index(path); }
  set_version(path, 99);
  RunIndex index(path);
  EXPECT_FALSE(index.usable());
  try {
    indexed_runs(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
    EXPECT_NE(e.message().find("later Lathe"), std::string::npos);
  }
}

TEST(RunIndex, HomesThatCannotBeWrittenCostAWarning) {
  const Quiet quiet;
  const TempFolder temp;
  temp.write("file", "");
  for (const std::string& path : {std::string(), temp / "file/runs.sqlite", temp.path()}) {
    RunIndex index(path);
    EXPECT_FALSE(index.usable());
    RunRecord record = record_in(temp / "a");
    index.begin(record, false);
    index.finish(record);
    EXPECT_EQ(record.status, "running");
  }
}

// What `body` says when it runs as a user who is not root, in a process of its own.
template <typename Body>
bool as_nobody(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool root = ::geteuid() == 0;
    if (root && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST(RunIndex, ReadOnlyIndexCanBeReadButNotWritten) {
  const Quiet quiet;
  const TempFolder temp;
  const std::string path = temp.folder("home") + "/runs.sqlite";
  {
    RunIndex index(path);
    RunRecord record = record_in(temp / "a");
    index.begin(record, false);
  }
  using std::filesystem::perms;
  const perms look = perms::owner_read | perms::group_read | perms::others_read;
  const perms enter = look | perms::owner_exec | perms::group_exec | perms::others_exec;
  std::filesystem::permissions(path, look);
  std::filesystem::permissions(temp.path(), enter | perms::owner_write);
  std::filesystem::permissions(temp / "home", enter);
  EXPECT_TRUE(as_nobody([&] { return indexed_runs(path).size() == 1; }));
  EXPECT_TRUE(as_nobody([&] {
    RunIndex index(path);
    RunRecord record = record_in(temp / "b");
    index.begin(record, false);
    index.finish(record);
    return record.id.size() == 8 && indexed_runs(path).size() == 1;
  }));
  EXPECT_TRUE(as_nobody([&] {
    RunIndex index(temp / "home/new/runs.sqlite");
    return !index.usable();
  }));
  std::filesystem::permissions(temp / "home", perms::owner_all);
}

TEST(RunIndex, ProcessesAtOnceLoseNothing) {
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      RunIndex index(path);
      RunRecord record = record_in(temp / std::to_string(i));
      index.begin(record, false);
      for (int k = 1; k <= 20; ++k) {
        record.step = k;
        index.finish(record);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  const auto runs = indexed_runs(path);
  EXPECT_EQ(runs.size(), 4u);
  for (const RunRecord& run : runs) {
    EXPECT_EQ(run.step, 20);
    EXPECT_EQ(status_of(run), RunStatus::kDead);  // nobody said finished, and they are gone
  }
}

TEST(RunIndex, ForgetTakesOneRunOffTheList) {
  const TempFolder temp;
  const std::string path = temp / "runs.sqlite";
  RunIndex index(path);
  RunRecord a = record_in(temp.folder("a")), b = record_in(temp.folder("b"));
  index.begin(a, false);
  index.begin(b, false);
  EXPECT_TRUE(forget_run(a.id, path));
  EXPECT_FALSE(forget_run(a.id, path));
  ASSERT_EQ(indexed_runs(path).size(), 1u);
  EXPECT_EQ(indexed_runs(path)[0].id, b.id);
}

TEST(RunIndex, DefaultPathFollowsTheEnvironment) {
  const auto with = [](const char* home, const char* data, const char* user) {
    const char* names[] = {"LATHE_HOME", "XDG_DATA_HOME", "HOME"};
    const char* values[] = {home, data, user};
    std::string saved[3];
    bool had[3];
    for (int i = 0; i < 3; ++i) {
      const char* old = ::getenv(names[i]);
      had[i] = old != nullptr;
      saved[i] = had[i] ? old : "";
      ::setenv(names[i], values[i], 1);
    }
    const std::string path = default_index_path();
    for (int i = 0; i < 3; ++i) {
      had[i] ? ::setenv(names[i], saved[i].c_str(), 1) : ::unsetenv(names[i]);
    }
    return path;
  };
  EXPECT_EQ(with("/l", "/x", "/u"), "/l/runs.sqlite");
  EXPECT_EQ(with("", "/x", "/u"), "/x/lathe/runs.sqlite");
  EXPECT_EQ(with("", "", "/u"), "/u/.local/share/lathe/runs.sqlite");
  EXPECT_EQ(with("", "", ""), "");
}

TEST(Liveness, TellsTheLivingFromTheDead) {
  const ProcessMark me = this_process();
  EXPECT_EQ(liveness(me), Liveness::kAlive);
  ProcessMark other = me;
  other.started += 1;  // the number was given to another process
  EXPECT_EQ(liveness(other), Liveness::kDead);
  other = me;
  other.boot = "another boot";
  EXPECT_EQ(liveness(other), Liveness::kDead);
  other = me;
  other.host += "-elsewhere";
  EXPECT_EQ(liveness(other), Liveness::kUnknown);
  EXPECT_EQ(liveness({}), Liveness::kUnknown);

  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ProcessMark dead = me;
  dead.pid = child;
  dead.started = 0;
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(liveness(dead), Liveness::kDead);  // a zombie
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(liveness(dead), Liveness::kDead);
}

TEST(RunRecord, IdsDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(new_run_id());
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(RunRecord, UnreadableRunJsonIsNoRecord) {
  const TempFolder temp;
  EXPECT_FALSE(load_record(real_files(), temp.path()).has_value());
  for (const char* text : {"", "[]", "{", "{\"name\":\"x\"}", "{\"id\":5}"}) {
    temp.write("run.json", text);
    EXPECT_FALSE(load_record(real_files(), temp.path()).has_value()) << text;
  }
  temp.write("run.json", "{\"id\":\"abc\",\"later\":[1],\"tokens\":\"x\",\"loss\":null}");
  const auto record = load_record(real_files(), temp.path());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->id, "abc");
  EXPECT_EQ(record->folder, temp.path());
  EXPECT_FALSE(record->loss.has_value());
}

}  // namespace
}  // namespace lathe::runs
