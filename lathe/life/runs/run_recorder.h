// One object that a trainer tells everything: it writes metrics.jsonl, the TensorBoard events, the
// plot, run.json and the index of runs, and shows the person in front what happens.
//
// Nothing here stops a training run once it has begun: what cannot be written costs a warning.
// Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/clock.h"
#include "lathe/base/files.h"
#include "lathe/life/runs/metrics.h"
#include "lathe/life/runs/run_index.h"
#include "lathe/life/runs/run_record.h"
#include "lathe/life/runs/tensorboard.h"
#include "lathe/life/runs/train_display.h"

namespace lathe::runs {

struct RecorderOptions {
  std::string folder;  // exists
  std::string name;    // empty: the folder's name
  std::string config;  // a summary for the list: "llama 6x256, muon, 52M tokens"
  std::string commit;  // of Lathe
  std::int64_t parameters = 0;
  std::optional<std::int64_t> resume_step;  // of the checkpoint; absent: the run starts afresh
  DisplayOptions display = {};              // start_tokens is filled in from the kept metrics
  std::string index_path = default_index_path();
  FileSystem* files = &real_files();
  bool quiet = false;  // only metrics and events: nothing is shown, listed or drawn
};

class RunRecorder {
 public:
  /// Metrics and events later than `resume_step` are dropped. Throws Error(kIo) when
  /// metrics.jsonl cannot be opened.
  explicit RunRecorder(const RecorderOptions& options);
  /// A run that was not finished by finish() is entered as failed.
  ~RunRecorder();
  RunRecorder(const RunRecorder&) = delete;
  RunRecorder& operator=(const RunRecorder&) = delete;

  /// Once a step. The index is updated every five seconds.
  void step(const StepMetrics& metrics);

  /// Generated text: on the screen and among TensorBoard's texts, as "sample".
  void sample(std::int64_t step, std::string_view text);

  /// Call before a checkpoint is published: metrics and events up to now reach the disk; run.json
  /// and the plot are brought up to date (the plot at most once a minute).
  void checkpoint();

  /// The last word: ends the live line, draws the plot, enters the status.
  void finish(RunStatus status, std::string_view message = {});

  const RunRecord& record() const { return record_; }
  TrainDisplay& display() { return display_; }

 private:
  void draw_plot(bool now);
  void store_record();

  RecorderOptions options_;
  MetricsWriter metrics_;
  RunRecord record_;
  DisplayOptions display_options_;
  TrainDisplay display_;
  EventWriter events_;
  std::optional<RunIndex> index_;
  bool done_ = false, warned_ = false;
  double indexed_at_ = -1e300, plotted_at_ = -1e300, plot_seconds_ = 0;
};

/// Draws the metrics in a run folder into FOLDER/loss.svg or into `path`; returns that path.
/// Throws Error(kNotFound or kIo).
std::string write_plot(FileSystem& files, const std::string& folder, std::string path = {});

}  // namespace lathe::runs
