// The [train] and [checkpoint] tables.
#pragma once

#include <cstdint>
#include <string>

#include "lathe/base/fields.h"

namespace lathe::train {

struct TrainConfig {
  std::int64_t context = 512;
  std::int64_t batch_tokens = 16384;
  std::int64_t micro_tokens = 0;
  std::int64_t tokens = 0;
  std::string compute = "auto";
  std::int64_t reduce_groups = 0;
  double z_loss = 0.0;
  bool recompute = false;
  bool capture = true;
  std::int64_t memory_budget = 0;
  std::int64_t evaluate_every = 100;
  std::int64_t evaluate_tokens = 200000;
  std::int64_t sample_every = 200;
  std::string sample_prompt = "The";
  std::int64_t sample_tokens = 60;

  void fields(Fields& f);
  /// Fills the zeros and checks what belongs together. Throws InvalidArgument naming the key.
  void resolve();

  std::int64_t rows_per_step() const { return batch_tokens / context; }
  std::int64_t rows_per_micro() const { return micro_tokens / context; }
  std::int64_t rows_per_group() const { return rows_per_step() / reduce_groups; }
};

struct CheckpointConfig {
  std::int64_t every_steps = 100;
  std::int64_t keep = 2;
  void fields(Fields& f);
};

}  // namespace lathe::train
