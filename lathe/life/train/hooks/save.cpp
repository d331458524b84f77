#include "lathe/life/train/hooks/save.h"

namespace lathe::train {

CheckpointParts SaveHook::parts(Trainer& trainer, bool with_optimizer) const {
  return {.model = trainer.parts().model,
          .optimizer = with_optimizer ? trainer.parts().optimizer : nullptr,
          .state = trainer.state(),
          .config_toml = options_.config_toml,
          .tokenizer_json = options_.tokenizer_json};
}

void SaveHook::save(Trainer& trainer) {
  const std::int64_t step = trainer.loop_state().step;
  if (step == saved_step_) return;
  if (options_.before) options_.before();
  write_checkpoint(*options_.files, options_.run_folder, checkpoint_name("step-", step),
                   parts(trainer, true));
  prune_checkpoints(*options_.files, options_.run_folder, options_.config.keep);
  saved_step_ = step;
}

void SaveHook::save_best(Trainer& trainer, double bpb) {
  LoopState& state = trainer.loop_state();
  if (state.best_valid_bpb > 0 && bpb >= state.best_valid_bpb) return;
  state.best_valid_bpb = bpb;
  state.best_step = state.step;
  write_checkpoint(*options_.files, options_.run_folder, checkpoint_name("best-", state.step),
                   parts(trainer, false));
  prune_checkpoints(*options_.files, options_.run_folder, 1, "best-");
}

void SaveHook::on_start(Trainer& trainer) {
  prune_checkpoints(*options_.files, options_.run_folder, options_.config.keep);
  saved_step_ = trainer.loop_state().step > 0 ? trainer.loop_state().step : -1;
}

void SaveHook::on_step(Trainer& trainer, runs::StepMetrics& metrics) {
  if (metrics.valid_bpb) save_best(trainer, *metrics.valid_bpb);
  const std::int64_t every = options_.config.every_steps;
  if (every > 0 && metrics.step % every == 0) save(trainer);
}

void SaveHook::on_end(Trainer& trainer, bool) {
  if (trainer.loop_state().step > 0) save(trainer);
}

std::string SaveHook::newest() const {
  if (saved_step_ < 0) return "";
  return join_path(join_path(options_.run_folder, "checkpoints"),
                   checkpoint_name("step-", saved_step_));
}

}  // namespace lathe::train
