// What `lathe runs list` and `lathe runs show` print, as text and as JSON trees.
#pragma once

#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/life/runs/run_folder.h"

namespace lathe::runs {

/// A table in the given order; `width` of the terminal, 0 for unlimited.
std::string list_text(const std::vector<RunRecord>& runs, const FileSystem& files, int width);
Tree list_tree(const std::vector<RunRecord>& runs);

/// Final numbers, settings, the last lines of the metrics and the files of a run. What the folder
/// lacks is left out or named as missing.
std::string show_text(const RunRecord& run, const FileSystem& files);
Tree show_tree(const RunRecord& run, const FileSystem& files);

}  // namespace lathe::runs
