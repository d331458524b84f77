// The index of runs: one SQLite file a user, behind `lathe runs`.
//
// Losing it loses nothing but the list: what it says of a run is in the run's folder too. So
// whatever is wrong with it (read-only, corrupt, no home folder, written by a later version) costs
// a warning, and training goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/life/runs/database.h"
#include "lathe/life/runs/run_record.h"

namespace lathe::runs {

/// $LATHE_HOME/runs.sqlite, else $XDG_DATA_HOME/lathe/runs.sqlite, else
/// ~/.local/share/lathe/runs.sqlite. Empty when no home is known.
std::string default_index_path();

/// Writes of a trainer. No member throws; the first failure of a kind is logged as a warning.
/// Not thread safe; any number of processes may use the file at once.
class RunIndex {
 public:
  /// Opens or creates the index and its folder, and brings it to the present schema.
  explicit RunIndex(std::string path = default_index_path());

  /// Enters a run that starts or goes on in record.folder, as running, of this process. Gives it
  /// an id: the one it has, unless another existing folder has it too (the folder was copied); the
  /// one that the index has for this folder if `resumed`; a new one otherwise. A row of an earlier
  /// run in the same folder goes.
  void begin(RunRecord& record, bool resumed);

  /// Overwrites the row of record.id. Waits only briefly for other processes.
  void update(const RunRecord& record);

  /// As update(), with patience, for the last word on a run.
  void finish(const RunRecord& record);

  /// False after a failure that cannot pass (corrupt, read-only); then nothing is written.
  bool usable() const { return db_ != nullptr; }

 private:
  template <typename Action>
  void guarded(Action&& action);
  void write(const RunRecord& record);

  std::string path_;
  std::unique_ptr<Database> db_;
  bool warned_ = false;
};

/// All runs, newest first. An index that does not exist yet is empty.
/// Throws Error(kCorrupt, kIo or kUnsupported) with a hint when it cannot be read.
std::vector<RunRecord> indexed_runs(const std::string& path = default_index_path());

/// Takes a run off the list (its files stay). False when the list has no such id.
/// Throws Error like indexed_runs().
bool forget_run(const std::string& id, const std::string& path = default_index_path());

}  // namespace lathe::runs
