// Hands the trainer's steps to the recorder of runs (life/runs), and text samples with them.
#pragma once

#include <functional>
#include <string>

#include "lathe/life/runs/run_recorder.h"
#include "lathe/life/train/hook.h"

namespace lathe::recipes {

class RecordHook : public train::Hook {
 public:
  struct Options {
    runs::RecorderOptions recorder;
    double flops_per_token = 0, peak_flops = 0;  // for the MFU; 0: not shown
    std::int64_t sample_every = 0;
    std::function<std::string()> sample;
  };
  explicit RecordHook(Options options)
      : options_(std::move(options)), recorder_(options_.recorder) {}

  void on_step(train::Trainer& trainer, runs::StepMetrics& metrics) override;
  void on_end(train::Trainer& trainer, bool finished) override;

  runs::RunRecorder& recorder() { return recorder_; }
  const runs::StepMetrics& last() const { return last_; }

 private:
  Options options_;
  runs::RunRecorder recorder_;
  runs::StepMetrics last_;
};

}  // namespace lathe::recipes
