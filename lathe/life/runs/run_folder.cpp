#include "lathe/life/runs/run_folder.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/nearest.h"
#include "lathe/base/toml.h"

namespace lathe::runs {
namespace {

constexpr std::size_t kMostSuggestions = 3;
constexpr int kDeepestFolder = 8;

bool has_file(const FileSystem& files, const std::string& folder, const std::string& name) {
  const std::string path = join_path(folder, name);
  return files.exists(path) && !files.is_directory(path);
}

// The nearest ids and names, best first.
std::vector<std::string> suggestions(const std::vector<RunRecord>& indexed,
                                     const std::string& what) {
  struct Scored {
    double distance;
    std::string text;
  };
  std::vector<Scored> scored;
  const auto consider = [&](const std::string& text) {
    const bool inside = what.size() >= 2 && text.find(what) != text.npos;
    const double distance = inside ? 0.5 : name_distance(what, text);
    const bool seen =
        std::any_of(scored.begin(), scored.end(), [&](const Scored& s) { return s.text == text; });
    if (distance < kTooFar && !seen && !text.empty()) scored.push_back({distance, text});
  };
  for (const RunRecord& run : indexed) consider(run.name);
  for (const RunRecord& run : indexed) consider(run.id);
  std::stable_sort(scored.begin(), scored.end(),
                   [](const Scored& a, const Scored& b) { return a.distance < b.distance; });
  if (scored.size() > kMostSuggestions) scored.resize(kMostSuggestions);
  std::vector<std::string> out;
  for (Scored& s : scored) out.push_back(std::move(s.text));
  return out;
}

[[noreturn]] void fail_not_found(const std::vector<RunRecord>& indexed, const std::string& what) {
  std::string hint;
  for (const std::string& text : suggestions(indexed, what)) {
    hint += fmt::format("{}'{}'", hint.empty() ? "" : ", ", text);
  }
  fail(ErrorCode::kNotFound,
       "run '{}': expected an id, the beginning of one, a name or a run folder, found none{}{}; "
       "`lathe runs list` shows all",
       what, hint.empty() ? "" : "; nearest: ", hint);
}

// The only match, null when there is none. Throws when there are several.
template <typename Matches>
const RunRecord* only(const std::vector<RunRecord>& indexed, const std::string& what,
                      Matches&& matches) {
  std::vector<const RunRecord*> found;
  for (const RunRecord& run : indexed) {
    if (matches(run)) found.push_back(&run);
  }
  if (found.size() <= 1) return found.empty() ? nullptr : found[0];
  std::string ids;
  for (std::size_t i = 0; i < std::min<std::size_t>(found.size(), 5); ++i) {
    ids += fmt::format("{}{} ({})", i == 0 ? "" : ", ", found[i]->id, found[i]->name);
  }
  fail(ErrorCode::kInvalidArgument, "run '{}': expected one run, got {}: {}{}; give more of the id",
       what, found.size(), ids, found.size() > 5 ? ", ..." : "");
}

// A row may be older than the folder (the index was away) or newer (run.json is written at
// checkpoints).
RunRecord newest_of(const FileSystem& files, const RunRecord& row) {
  const auto on_disk = load_record(files, row.folder);
  const bool same = on_disk && on_disk->id == row.id;
  return same && on_disk->updated > row.updated ? *on_disk : row;
}

void flatten(const Tree& tree, const std::string& prefix, std::vector<Setting>& out) {
  const bool of_tables = tree.kind == Tree::Kind::array && !tree.items.empty() &&
                         tree.items[0].kind == Tree::Kind::table;
  if (tree.kind != Tree::Kind::table && !of_tables) {
    out.emplace_back(prefix, toml_value(tree));
    return;
  }
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    const std::string part = of_tables        ? fmt::format("{}[{}]", prefix, i)
                             : prefix.empty() ? tree.keys[i]
                                              : prefix + "." + tree.keys[i];
    flatten(tree.items[i], part, out);
  }
}

std::uint64_t bytes_under(const FileSystem& files, const std::string& path, int depth) {
  if (!files.is_directory(path)) return files.size(path);
  std::uint64_t total = 0;
  if (depth >= kDeepestFolder) return total;
  for (const std::string& name : files.list(path)) {
    total += bytes_under(files, join_path(path, name), depth + 1);
  }
  return total;
}

}  // namespace

bool is_run_folder(const FileSystem& files, const std::string& folder) {
  if (!files.is_directory(folder)) return false;
  return has_file(files, folder, "run.json") || has_file(files, folder, "metrics.jsonl") ||
         has_file(files, folder, "config.toml");
}

MetricsFile metrics_of(const FileSystem& files, const std::string& folder) {
  if (!has_file(files, folder, "metrics.jsonl")) return {};
  return read_metrics(files, join_path(folder, "metrics.jsonl"));
}

RunRecord record_of_folder(const FileSystem& files, const std::string& folder) {
  if (auto record = load_record(files, folder)) return *std::move(record);
  RunRecord record;
  record.folder = canonical_folder(folder);
  record.name = file_name(record.folder);
  record.status = name(RunStatus::kUnknown);
  for (const StepMetrics& row : metrics_of(files, folder).rows) record.take_step(row);
  return record;
}

RunRecord find_run(const FileSystem& files, const std::vector<RunRecord>& indexed,
                   const std::string& what) {
  if (!what.empty() && is_run_folder(files, what)) {
    const RunRecord here = record_of_folder(files, what);
    for (const RunRecord& run : indexed) {
      if (run.id == here.id && run.folder == here.folder) return newest_of(files, run);
    }
    return here;
  }
  if (what.empty()) fail_not_found(indexed, what);
  const auto by = [&](auto&& matches) { return only(indexed, what, matches); };
  const RunRecord* run = by([&](const RunRecord& r) { return r.id == what; });
  if (run == nullptr) run = by([&](const RunRecord& r) { return r.name == what; });
  if (run == nullptr) run = by([&](const RunRecord& r) { return r.id.starts_with(what); });
  if (run == nullptr) fail_not_found(indexed, what);
  return newest_of(files, *run);
}

std::vector<Setting> settings_of(const FileSystem& files, const std::string& folder) {
  const std::string path = join_path(folder, "config.toml");
  std::vector<Setting> out;
  flatten(parse_toml(files.read_all(path), path), "", out);
  return out;
}

std::vector<FolderEntry> entries_of(const FileSystem& files, const std::string& folder) {
  std::vector<FolderEntry> out;
  for (const std::string& name : files.list(folder)) {
    const std::string path = join_path(folder, name);
    try {
      const bool directory = files.is_directory(path);
      out.push_back({name + (directory ? "/" : ""), bytes_under(files, path, 0)});
    } catch (const Error&) {  // gone meanwhile: a checkpoint was rotated out
    }
  }
  return out;
}

}  // namespace lathe::runs
