// A run as its folder tells it, with or without the index, and the search for runs by what a
// person types.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/life/runs/metrics.h"
#include "lathe/life/runs/run_record.h"

namespace lathe::runs {

/// True for a folder that holds run.json, metrics.jsonl or config.toml.
bool is_run_folder(const FileSystem& files, const std::string& folder);

/// run.json; where it is missing, what metrics.jsonl says, with the folder's name and no id.
RunRecord record_of_folder(const FileSystem& files, const std::string& folder);

/// The run that `what` names: a run folder, an id, the beginning of only one id, or a name that
/// only one run has. Throws Error(kNotFound) with the nearest names, Error(kInvalidArgument) when
/// it could be several.
RunRecord find_run(const FileSystem& files, const std::vector<RunRecord>& indexed,
                   const std::string& what);

/// Dotted keys and their values as TOML writes them, in the order of config.toml. Throws Error
/// when the folder has no readable config.toml.
using Setting = std::pair<std::string, std::string>;
std::vector<Setting> settings_of(const FileSystem& files, const std::string& folder);

/// metrics.jsonl of a folder; empty where there is none.
MetricsFile metrics_of(const FileSystem& files, const std::string& folder);

struct FolderEntry {
  std::string name;  // folders end in '/'
  std::uint64_t bytes = 0;
};

/// What lies directly in the folder, sorted; a folder's bytes are those of all it holds.
std::vector<FolderEntry> entries_of(const FileSystem& files, const std::string& folder);

}  // namespace lathe::runs
