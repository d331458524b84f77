// How a step of a recipe is run: the ops of its captured graphs, measured.
#pragma once

#include "lathe/life/plan/graph_plan.h"
#include "lathe/life/recipes/pretrain.h"

namespace lathe::recipes {

struct StepPlan {
  std::string compute, instruction_set;
  double peak_flops = 0, bandwidth = 0;  // of this machine
  std::int64_t micro_batches = 0;        // a step
  std::vector<plan::GraphPlan> graphs;   // one micro-step, and the update

  void fields(Fields& f);
};

/// Captures a micro-step of the recipe's network on random ids and an update, and measures both.
/// The tokenizer is read where the recipe leaves the vocabulary open; its data are not. Throws
/// InvalidArgument, OutOfMemory.
StepPlan explain_step(PretrainConfig config, const FileSystem& files);

std::string table_of(const StepPlan& plan);

}  // namespace lathe::recipes
