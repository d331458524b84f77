// A thin hold on SQLite: one connection, prepared statements, errors as lathe::Error.
//
// Errors: kCorrupt for a file that is no database or is damaged, kIo otherwise (read-only, full,
// locked for longer than the wait, missing folder). Not thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace lathe::runs {

class Statement;

class Database {
 public:
  enum class Access { kRead, kWrite };

  /// kWrite creates the file (not its folder) and uses a write-ahead log where the file system
  /// allows. kRead also reads a file that may not be written at all.
  Database(const std::string& path, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Statements without results.
  void run(const char* sql);
  Statement prepare(const std::string& sql);

  /// How long to wait for another process's lock.
  void set_wait(int milliseconds);

  /// PRAGMA user_version: the version of the schema, 0 for an empty database.
  std::int64_t version();

 private:
  friend class Statement;
  [[noreturn]] void fail_now(int code) const;
  void choose_journal();
  void check_readable();

  std::string path_;
  sqlite3* db_ = nullptr;
};

/// Takes the write lock; rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& db);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  Database& db_;
  bool done_ = false;
};

/// Parameters are numbered from 1, columns from 0.
class Statement {
 public:
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view value);
  Statement& bind(int index, const std::optional<double>& value);

  /// True when there is a row to read.
  bool step();

  void read(int column, std::int64_t& out) const;
  void read(int column, double& out) const;
  void read(int column, std::string& out) const;
  void read(int column, std::optional<double>& out) const;

 private:
  friend class Database;
  Statement(Database& db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  void check(int code);

  Database& db_;
  sqlite3_stmt* statement_;
};

}  // namespace lathe::runs
