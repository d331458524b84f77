// How a step is run, of a recipe's training or of a model's inference: the ops of its captured
// graphs, measured.
#pragma once

#include "lathe/life/plan/graph_plan.h"
#include "lathe/life/recipes/open_model.h"

namespace lathe::recipes {

struct StepPlan {
  std::string work;  // what the step consists of
  std::string compute, instruction_set;
  double peak_flops = 0, peak_int8 = 0, bandwidth = 0;  // of this machine
  std::vector<plan::GraphPlan> graphs;  // one micro-step and the update, or the decoding step

  void fields(Fields& f);
};

/// Captures a micro-step of the recipe's network on random ids and an update, and measures both.
/// The tokenizer is read where the recipe leaves the vocabulary open; its data are not. Throws
/// InvalidArgument, OutOfMemory.
StepPlan explain_step(PretrainConfig config, const FileSystem& files);

struct InferencePlanOptions {
  OpenOptions open;
  std::int64_t rows = 1;    // texts side by side
  std::int64_t depth = 0;   // tokens that stand before
  std::int64_t tokens = 1;  // that are added to each text: 1, decoding; more, a prompt
};

/// Captures the step of a model that adds tokens to each row and gives the logits after the last,
/// and measures it. Throws what open_model throws, InvalidArgument, OutOfMemory.
StepPlan explain_inference(const std::string& path, const InferencePlanOptions& options,
                           const FileSystem& files);

std::string table_of(const StepPlan& plan);

}  // namespace lathe::recipes
