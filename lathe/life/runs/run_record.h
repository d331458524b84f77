// What is known of a run at a glance. It lies as run.json in the run folder, so that the folder
// can be moved or copied, and as a row in the index (run_index.h), so that runs can be listed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lathe/base/files.h"
#include "lathe/base/tree.h"
#include "lathe/life/runs/host.h"
#include "lathe/life/runs/metrics.h"

namespace lathe::runs {

enum class RunStatus {
  kRunning,
  kFinished,  // reached its end
  kStopped,   // asked to stop (Ctrl-C), can be resumed
  kFailed,    // ended by an error
  kKilled,    // ended by a signal that still let it say so
  kDead,      // said to be running, but its process is gone; never stored
  kUnknown,   // a folder without run.json
};

std::string_view name(RunStatus status);

struct RunRecord {
  std::string id;      // eight letters and digits
  std::string name;    // for people; need not be unique
  std::string folder;  // absolute
  std::string status = "running";
  std::int64_t created = 0;  // Unix seconds
  std::int64_t updated = 0;  // Unix seconds
  std::string config;        // a summary: "llama 6x256, muon, 52M tokens"
  std::int64_t parameters = 0;
  std::int64_t step = 0;
  std::int64_t tokens = 0;
  std::int64_t total_tokens = 0;  // 0: unknown
  double seconds = 0;             // of training, all sessions
  std::optional<double> loss;     // training, of the last step
  std::optional<double> valid_bpb;
  std::optional<double> best_valid_bpb;
  double tokens_per_second = 0;
  std::string host;
  std::string boot;
  std::int64_t pid = 0;
  std::int64_t process_started = 0;
  std::string commit;   // of Lathe
  std::string message;  // why it failed or stopped

  /// f(name, member) for every member; the names are JSON keys and columns of the index.
  template <typename Self, typename F>
  static void each(Self& r, F&& f) {
    f("id", r.id);
    f("name", r.name);
    f("folder", r.folder);
    f("status", r.status);
    f("created", r.created);
    f("updated", r.updated);
    f("config", r.config);
    f("parameters", r.parameters);
    f("step", r.step);
    f("tokens", r.tokens);
    f("total_tokens", r.total_tokens);
    f("seconds", r.seconds);
    f("loss", r.loss);
    f("valid_bpb", r.valid_bpb);
    f("best_valid_bpb", r.best_valid_bpb);
    f("tokens_per_second", r.tokens_per_second);
    f("host", r.host);
    f("boot", r.boot);
    f("pid", r.pid);
    f("process_started", r.process_started);
    f("commit", r.commit);
    f("message", r.message);
  }

  ProcessMark process() const { return {host, boot, pid, process_started}; }
  void set_process(const ProcessMark& mark);

  /// Takes over what a step measured; the best validation is the lowest finite one.
  void take_step(const StepMetrics& metrics);
};

/// The stored status, but kDead for a running one whose process is gone from this machine.
RunStatus status_of(const RunRecord& record);

/// The absolute path without symbolic links, "." and "..", as far as it exists. Does not throw.
std::string canonical_folder(const std::string& folder);

/// Eight random letters and digits, without those that are easily confused.
std::string new_run_id();

/// Status as status_of() gives it, for --json and run.json.
Tree tree_of(const RunRecord& record);

/// FOLDER/run.json, atomically. Throws Error(kIo).
void save_record(FileSystem& files, const RunRecord& record);

/// FOLDER/run.json, absent when there is none or it cannot be understood. Members that it lacks
/// keep their defaults and those of later versions are skipped. `folder` is where it was found.
std::optional<RunRecord> load_record(const FileSystem& files, const std::string& folder);

}  // namespace lathe::runs
