// Runs against the first of them: settings that differ, metrics at equal tokens, and the paired
// difference of the training loss with its confidence interval.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/life/runs/run_folder.h"

namespace lathe::runs {

struct ComparedRun {
  RunRecord record;
  std::vector<StepMetrics> rows;
  std::vector<Setting> settings;
};

/// B - A over the steps after which both had seen equally many tokens, in the second half of the
/// tokens that both have. Steps follow each other closely, so the interval is that of the means of
/// ten blocks of consecutive steps (t distribution, 9 degrees of freedom).
/// Source: batch means; Law, Simulation Modeling and Analysis, section 9.5.
struct PairedDifference {
  std::int64_t steps = 0;  // how many pairs
  double mean = 0;         // nats a token; below 0: B is better
  double half_width = 0;   // of the 95% interval
  bool same_data = false;  // equal seed and data settings: the pairs saw the same batches

  bool certain() const { return mean + half_width < 0 || mean - half_width > 0; }
};

/// Absent with fewer than 20 pairs.
std::optional<PairedDifference> paired_difference(const ComparedRun& a, const ComparedRun& b);

struct Comparison {
  struct Difference {
    std::string key;
    std::vector<std::string> values;  // one a run, "-" where the key is absent
  };
  struct Checkpoint {
    double tokens = 0;
    std::vector<double> loss;       // smoothed; NaN where there is none
    std::vector<double> valid_bpb;  // the last at or before these tokens
  };
  std::vector<std::string> names;  // told apart by ids where they are equal
  std::vector<Difference> settings;
  std::vector<Checkpoint> at_tokens;  // at quarters of the tokens that all runs have
  std::vector<std::optional<PairedDifference>> paired;  // with the first run; [0] is absent
};

/// REQUIRES: at least two runs.
Comparison compare_runs(const std::vector<ComparedRun>& runs);

std::string comparison_text(const Comparison& comparison, const std::vector<ComparedRun>& runs);
Tree comparison_tree(const Comparison& comparison, const std::vector<ComparedRun>& runs);

}  // namespace lathe::runs
