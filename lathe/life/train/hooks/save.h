#pragma once

#include <string>

#include "lathe/life/train/trainer.h"

namespace lathe::train {

/// Writes checkpoints: every so many steps, at the end and when the run is stopped; the best one by
/// validation (weights only) is kept beside the last.
class SaveHook : public Hook {
 public:
  struct Options {
    FileSystem* files = nullptr;
    std::string run_folder;
    CheckpointConfig config;
    std::string config_toml;
    std::string tokenizer_json;
    std::function<void()> before;  // make other records of the run durable first
  };
  explicit SaveHook(Options options) : options_(std::move(options)) {}

  void on_start(Trainer& trainer) override;
  void on_step(Trainer& trainer, runs::StepMetrics& metrics) override;
  void on_end(Trainer& trainer, bool finished) override;

  /// The newest checkpoint that this hook wrote (or that the run went on from); empty: none.
  std::string newest() const;

 private:
  void save(Trainer& trainer);
  void save_best(Trainer& trainer, double bpb);
  CheckpointParts parts(Trainer& trainer, bool with_optimizer) const;

  Options options_;
  std::int64_t saved_step_ = -1;
};

}  // namespace lathe::train
