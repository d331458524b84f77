#include "lathe/life/runs/run_index.h"

#include <array>
#include <cstdlib>

#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/base/log.h"

namespace lathe::runs {
namespace {

// Migration i brings a database of version i to version i + 1. Never change one that was released.
constexpr std::array<const char*, 1> kMigrations = {
    "CREATE TABLE runs ("
    "  id TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL UNIQUE, status TEXT NOT NULL,"
    "  created INTEGER NOT NULL, updated INTEGER NOT NULL, config TEXT NOT NULL,"
    "  parameters INTEGER NOT NULL, step INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    "  total_tokens INTEGER NOT NULL, seconds REAL, loss REAL, valid_bpb REAL,"
    "  best_valid_bpb REAL, tokens_per_second REAL, host TEXT NOT NULL, boot TEXT NOT NULL,"
    "  pid INTEGER NOT NULL, process_started INTEGER NOT NULL, \"commit\" TEXT NOT NULL,"
    "  message TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX runs_by_age ON runs (created DESC);"};
constexpr auto kVersion = static_cast<std::int64_t>(kMigrations.size());
constexpr int kBriefWait = 200, kPatientWait = 3000;

std::string column_list() {
  std::string out;
  RunRecord record;
  RunRecord::each(record, [&](const char* name, auto&) {
    out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", name);
  });
  return out;
}

void check_version(std::int64_t version, const std::string& path) {
  if (version <= kVersion) return;
  fail(ErrorCode::kUnsupported,
       "{}: expected schema version {} at most, got {}; it was written by a later Lathe", path,
       kVersion, version);
}

// One transaction, so that two processes that start at once do it once.
void migrate(Database& db, const std::string& path) {
  if (db.version() == kVersion) return;
  Transaction transaction(db);
  const std::int64_t version = db.version();
  check_version(version, path);
  for (std::int64_t v = version; v < kVersion; ++v) {
    db.run(kMigrations[static_cast<std::size_t>(v)]);
  }
  db.run(fmt::format("PRAGMA user_version={}", kVersion).c_str());
  transaction.commit();
}

std::vector<RunRecord> read_runs(Database& db, const std::string& condition,
                                 std::string_view value) {
  const std::string where = condition.empty() ? "" : " WHERE " + condition;
  Statement query =
      db.prepare("SELECT " + column_list() + " FROM runs" + where + " ORDER BY created DESC, id");
  if (!condition.empty()) query.bind(1, value);
  std::vector<RunRecord> out;
  while (query.step()) {
    RunRecord record;
    int column = 0;
    RunRecord::each(record, [&](const char*, auto& member) { query.read(column++, member); });
    out.push_back(std::move(record));
  }
  return out;
}

Error with_hint(Error error, const std::string& path) {
  if (error.code() != ErrorCode::kCorrupt) return error;
  return Error(error.code(),
               fmt::format("{}; the index of runs is damaged. Move it away (mv '{}' '{}.bad'): "
                           "training makes a new one, and `lathe runs show FOLDER` needs none",
                           error.message(), path, path));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string default_index_path() {
  if (const std::string home = environment("LATHE_HOME"); !home.empty()) {
    return join_path(home, "runs.sqlite");
  }
  if (const std::string data = environment("XDG_DATA_HOME"); !data.empty()) {
    return join_path(data, "lathe/runs.sqlite");
  }
  const std::string home = environment("HOME");
  return home.empty() ? "" : join_path(home, ".local/share/lathe/runs.sqlite");
}

RunIndex::RunIndex(std::string path) : path_(std::move(path)) {
  if (path_.empty()) {
    log::warning("runs: no home folder is known, so this run will not be listed; set LATHE_HOME");
    return;
  }
  guarded([&] {
    real_files().make_directories(parent_path(path_));
    auto db = std::make_unique<Database>(path_, Database::Access::kWrite);
    migrate(*db, path_);
    db_ = std::move(db);
  });
}

template <typename Action>
void RunIndex::guarded(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo) db_.reset();  // damage does not pass; a lock may
    if (!warned_) {
      log::warning("runs: {}; training goes on, but the list of runs may not show it",
                   with_hint(error, path_).message());
    }
    warned_ = true;
  }
}

void RunIndex::begin(RunRecord& record, bool resumed) {
  record.status = name(RunStatus::kRunning);
  record.updated = static_cast<std::int64_t>(unix_seconds());
  if (record.created == 0) record.created = record.updated;
  record.set_process(this_process());
  if (!resumed) record.id.clear();
  if (db_ != nullptr) {
    guarded([&] {
      db_->set_wait(kPatientWait);
      const auto here = read_runs(*db_, "folder = ?", record.folder);
      if (record.id.empty() && resumed && !here.empty()) {
        record.id = here[0].id;
        record.created = here[0].created;
      }
      const auto same_id = read_runs(*db_, "id = ?", record.id);
      const bool elsewhere = !same_id.empty() && same_id[0].folder != record.folder;
      if (elsewhere && load_record(real_files(), same_id[0].folder)) record.id.clear();
    });
  }
  if (record.id.empty()) record.id = new_run_id();
  guarded([&] { write(record); });
}

void RunIndex::write(const RunRecord& record) {
  if (db_ == nullptr) return;
  Transaction transaction(*db_);
  db_->prepare("DELETE FROM runs WHERE folder = ? AND id <> ?")
      .bind(1, std::string_view(record.folder))
      .bind(2, std::string_view(record.id))
      .step();
  std::string marks;
  RunRecord::each(record, [&](const char*, const auto&) { marks += marks.empty() ? "?" : ",?"; });
  Statement insert =
      db_->prepare("INSERT OR REPLACE INTO runs (" + column_list() + ") VALUES (" + marks + ")");
  int index = 0;
  RunRecord::each(record, [&](const char*, const auto& member) { insert.bind(++index, member); });
  insert.step();
  transaction.commit();
}

void RunIndex::update(const RunRecord& record) {
  if (db_ == nullptr) return;
  db_->set_wait(kBriefWait);
  guarded([&] { write(record); });
}

void RunIndex::finish(const RunRecord& record) {
  if (db_ == nullptr) return;
  db_->set_wait(kPatientWait);
  guarded([&] { write(record); });
}

std::vector<RunRecord> indexed_runs(const std::string& path) {
  if (path.empty() || !real_files().exists(path)) return {};
  try {
    Database db(path, Database::Access::kRead);
    const std::int64_t version = db.version();
    check_version(version, path);
    if (version < kVersion) {
      if (version == 0) return {};
      Database newer(path, Database::Access::kWrite);
      migrate(newer, path);
    }
    return read_runs(db, "", "");
  } catch (const Error& error) {
    throw with_hint(error, path);
  }
}

bool forget_run(const std::string& id, const std::string& path) {
  if (path.empty() || !real_files().exists(path)) return false;
  try {
    Database db(path, Database::Access::kWrite);
    migrate(db, path);
    const bool known = !read_runs(db, "id = ?", id).empty();
    db.prepare("DELETE FROM runs WHERE id = ?").bind(1, id).step();
    return known;
  } catch (const Error& error) {
    throw with_hint(error, path);
  }
}

}  // namespace lathe::runs
