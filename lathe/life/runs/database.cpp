#include "lathe/life/runs/database.h"

#include <sqlite3.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "lathe/base/error.h"

namespace lathe::runs {
namespace {

constexpr int kWaitMilliseconds = 3000;

// A path as a file: URI, so that "immutable" can be asked for.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

bool is_corrupt(int code) {
  const int primary = code & 0xFF;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

}  // namespace

Database::Database(const std::string& path, Access access) : path_(path) {
  const bool write = access == Access::kWrite;
  const int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  int code = sqlite3_open_v2(path.c_str(), &db_, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  try {
    if (code != SQLITE_OK) fail_now(code);
    set_wait(kWaitMilliseconds);
    if (!write) {
      check_readable();
      return;
    }
    choose_journal();
    run("PRAGMA synchronous=NORMAL");
  } catch (...) {
    sqlite3_close(db_);
    throw;
  }
}

// Several processes that make the database at once: SQLite refuses the change of journal to all but
// one at once, whatever the time to wait. It stays with a plain journal where the file system has
// no other.
void Database::choose_journal() {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(kWaitMilliseconds);
  while (true) {
    const int code = sqlite3_exec(db_, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return;
    if ((code & 0xFF) != SQLITE_BUSY || Clock::now() >= deadline) fail_now(code);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// Reading a database with a write-ahead log needs a file beside it. Where that cannot be made (a
// read-only folder), read the database as one that nobody changes.
void Database::check_readable() {
  const char* probe = "SELECT count(*) FROM sqlite_master";
  const int code = sqlite3_exec(db_, probe, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return;
  if ((code & 0xFF) != SQLITE_CANTOPEN && (code & 0xFF) != SQLITE_READONLY) fail_now(code);
  sqlite3_close(db_);
  db_ = nullptr;
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
  const int again = sqlite3_open_v2(immutable_uri(path_).c_str(), &db_, flags, nullptr);
  if (again != SQLITE_OK) fail_now(again);
  run(probe);
}

Database::~Database() { sqlite3_close(db_); }

void Database::fail_now(int code) const {
  const char* reason = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  fail(is_corrupt(code) ? ErrorCode::kCorrupt : ErrorCode::kIo, "{}: {}", path_, reason);
}

void Database::run(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_now(code);
}

Statement Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int size = static_cast<int>(sql.size());
  const int code = sqlite3_prepare_v2(db_, sql.c_str(), size, &statement, nullptr);
  if (code != SQLITE_OK) fail_now(code);
  return Statement(*this, statement);
}

void Database::set_wait(int milliseconds) { sqlite3_busy_timeout(db_, milliseconds); }

std::int64_t Database::version() {
  Statement query = prepare("PRAGMA user_version");
  std::int64_t version = 0;
  if (query.step()) query.read(0, version);
  return version;
}

Transaction::Transaction(Database& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (done_) return;
  try {
    db_.run("ROLLBACK");
  } catch (const Error&) {  // SQLite has already rolled back; the first error says more
  }
}

void Transaction::commit() {
  db_.run("COMMIT");
  done_ = true;
}

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::check(int code) {
  if (code != SQLITE_OK) db_.fail_now(code);
}

Statement& Statement::bind(int index, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, index, value));
  return *this;
}

Statement& Statement::bind(int index, double value) {
  check(sqlite3_bind_double(statement_, index, value));  // NaN becomes NULL
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  const int size = static_cast<int>(value.size());
  check(sqlite3_bind_text(statement_, index, value.data(), size, SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind(int index, const std::optional<double>& value) {
  return bind(index, value.value_or(std::nan("")));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) db_.fail_now(code);
  return code == SQLITE_ROW;
}

void Statement::read(int column, std::int64_t& out) const {
  out = sqlite3_column_int64(statement_, column);
}

void Statement::read(int column, double& out) const {
  out = sqlite3_column_double(statement_, column);
}

void Statement::read(int column, std::string& out) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  out = text == nullptr ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

void Statement::read(int column, std::optional<double>& out) const {
  out.reset();
  if (sqlite3_column_type(statement_, column) != SQLITE_NULL) {
    out = sqlite3_column_double(statement_, column);
  }
}

}  // namespace lathe::runs
