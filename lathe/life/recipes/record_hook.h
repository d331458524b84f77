// What a person sees of a run, and what is kept of it: live line, metrics.jsonl, TensorBoard events,
// the index of runs, the plot, text samples.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lathe/base/files.h"
#include "lathe/life/runs/metrics.h"
#include "lathe/life/runs/run_index.h"
#include "lathe/life/runs/run_record.h"
#include "lathe/life/runs/tensorboard.h"
#include "lathe/life/runs/train_display.h"
#include "lathe/life/train/hook.h"

namespace lathe::recipes {

class RecordHook : public train::Hook {
 public:
  struct Options {
    FileSystem* files = nullptr;
    runs::RunRecord record;  // name, folder, config, parameters, total_tokens filled in
    std::int64_t first_step = 0;
    std::int64_t first_tokens = 0;
    double flops_per_token = 0, peak_flops = 0;  // for the MFU; 0: not shown
    std::int64_t sample_every = 0;
    std::function<std::string()> sample;
    bool quiet = false;
  };
  explicit RecordHook(Options options);
  ~RecordHook() override;

  void on_step(train::Trainer& trainer, runs::StepMetrics& metrics) override;
  void on_end(train::Trainer& trainer, bool finished) override;

  /// Makes the lines so far durable: called before a checkpoint is published.
  void sync();
  const runs::RunRecord& record() const { return options_.record; }
  const runs::StepMetrics& last() const { return last_; }
  /// The run ends by an error.
  void failed(const std::string& message);

 private:
  void plot() const;

  Options options_;
  runs::MetricsWriter metrics_;
  runs::EventWriter events_;
  std::unique_ptr<runs::RunIndex> index_;
  std::unique_ptr<runs::TrainDisplay> display_;
  runs::StepMetrics last_;
  double indexed_at_ = 0;
};

}  // namespace lathe::recipes
