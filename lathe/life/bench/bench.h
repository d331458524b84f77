// The whole of `lathe bench`: the peaks of this machine, and a model's speed in everything that is
// done with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lathe/life/bench/inference.h"
#include "lathe/life/recipes/open_model.h"

namespace lathe::bench {

struct Options {
  std::string model;  // a path; empty: a random one is made
  recipes::OpenOptions open;
  /// Which of peaks, load, prefill, decode, encode, train; empty: all, peaks and train only where
  /// no model is given or, for train, where a recipe is.
  std::vector<std::string> only;
  std::vector<std::int64_t> prompts = {512}, decodes = {128};  // tokens; zeros are left out
  std::vector<std::int64_t> depths = {0}, batches = {1, 8};
  std::string text;          // a file to encode; empty: generated_text()
  std::string train_recipe;  // a file; empty: default_training()
  std::int64_t repetitions = 5;
  StopToken stop;
};

/// Highest speeds on all threads: about a second.
Peaks measure_peaks();

struct Report {
  std::function<void(const Row&)> row;                // as each is known
  std::function<void(const std::string&)> measuring;  // what comes now
};

/// Measures row after row. Throws NotFound, Corrupt, Unsupported, InvalidArgument, OutOfMemory, and
/// Cancelled on request; what was measured until then has been reported.
void run_bench(const Options& options, const Report& report);

}  // namespace lathe::bench
