#include "lathe/life/runs/run_record.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <random>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/life/runs/tree_values.h"

namespace lathe::runs {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"running", "finished", "stopped", "failed",
                                                    "killed",  "dead",     "unknown"};

}  // namespace

std::string_view name(RunStatus status) { return kNames[static_cast<std::size_t>(status)]; }

void RunRecord::set_process(const ProcessMark& mark) {
  host = mark.host;
  boot = mark.boot;
  pid = mark.pid;
  process_started = mark.started;
}

void RunRecord::take_step(const StepMetrics& metrics) {
  step = metrics.step;
  tokens = metrics.tokens;
  seconds = metrics.seconds;
  if (std::isfinite(metrics.loss)) loss = metrics.loss;
  if (metrics.tokens_per_second > 0) tokens_per_second = metrics.tokens_per_second;
  if (!metrics.valid_bpb || !std::isfinite(*metrics.valid_bpb)) return;
  valid_bpb = metrics.valid_bpb;
  if (!best_valid_bpb || *valid_bpb < *best_valid_bpb) best_valid_bpb = valid_bpb;
}

RunStatus status_of(const RunRecord& record) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (record.status != kNames[i]) continue;
    const auto status = static_cast<RunStatus>(i);
    const bool gone =
        status == RunStatus::kRunning && liveness(record.process()) == Liveness::kDead;
    return gone ? RunStatus::kDead : status;
  }
  return RunStatus::kUnknown;
}

std::string canonical_folder(const std::string& folder) {
  std::error_code error;
  const auto path = std::filesystem::weakly_canonical(std::filesystem::absolute(folder), error);
  std::string text = error ? folder : path.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string new_run_id() {
  constexpr std::string_view kLetters = "23456789abcdefghjkmnpqrstuvwxyz";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
  std::string id;
  for (int i = 0; i < 8; ++i) id += kLetters[pick(random)];
  return id;
}

Tree tree_of(const RunRecord& record) {
  Tree tree = Tree::table();
  RunRecord::each(record,
                  [&](const char* name, const auto& member) { tree.add(name, tree_of(member)); });
  for (std::size_t i = 0; i < tree.keys.size(); ++i) {
    if (tree.keys[i] == "status") tree.items[i] = Tree::of(std::string(name(status_of(record))));
  }
  return tree;
}

void save_record(FileSystem& files, const RunRecord& record) {
  const std::string text = print_json(tree_of(record), 2) + "\n";
  write_file_atomically(files, join_path(record.folder, "run.json"), text);
}

std::optional<RunRecord> load_record(const FileSystem& files, const std::string& folder) {
  try {
    const std::string path = join_path(folder, "run.json");
    if (!files.exists(path)) return std::nullopt;
    const Tree tree = parse_json(files.read_all(path), path);
    if (tree.kind != Tree::Kind::table) return std::nullopt;
    RunRecord record;
    RunRecord::each(record, [&](const char* name, auto& member) {
      const Tree* value = tree.find(name);
      if (value != nullptr && value->kind != Tree::Kind::null) take(*value, member);
    });
    record.folder = canonical_folder(folder);
    if (record.id.empty()) return std::nullopt;
    return record;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace lathe::runs
