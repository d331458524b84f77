// What a pre-training run will need and take, before anything is allocated.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lathe/life/recipes/pretrain.h"

namespace lathe::recipes {

struct PlanReport {
  struct Part {
    std::string name;
    std::int64_t parameters = 0;
    void fields(Fields& f);
  };
  std::vector<Part> parts;  // embedding, attention, MLP, norms, head
  std::int64_t parameters = 0;
  std::int64_t peak_bytes = 0;  // weights, gradients, optimizer, activations, workspace
  std::int64_t weight_bytes = 0, gradient_bytes = 0, optimizer_bytes = 0, activation_bytes = 0;
  std::int64_t available_bytes = 0;
  std::int64_t steps = 0, micro_batches = 0;
  double flops_per_step = 0, flops_per_token = 0;
  std::string compute, instruction_set;
  double peak_flops = 0, tokens_per_second = 0, hours = 0, mfu = 0;
  // of the data
  bool data_exact = true;
  std::int64_t documents = 0, tokens = 0, supervised = 0, padded = 0, dropped = 0, skipped = 0;
  double epochs = 0;

  void fields(Fields& f);
};

/// Traces a step on meta tensors, measures this machine for a few seconds and surveys the data.
/// Throws InvalidArgument or OutOfMemory for what cannot work, with the reason.
PlanReport plan_pretrain(PretrainConfig config, const std::string& cache_folder,
                         const FileSystem& files);

/// Training FLOPs a token, from a meta trace. REQUIRES: resolved.
double flops_per_token(const PretrainConfig& config);

/// FLOP/s of a step whose work all runs at its peak: of int8 products at `int8`, the rest at
/// `other`. REQUIRES: resolved.
double mixed_peak(const PretrainConfig& config, double other, double int8);
/// The same at the peaks of this machine (measured, about 0.2 s).
double peak_flops(const PretrainConfig& config);

/// Throws OutOfMemory when the run cannot fit this machine. REQUIRES: resolved.
void check_memory(const PretrainConfig& config);

}  // namespace lathe::recipes
