// What a captured graph consists of: each op, what it moves and computes, how long it should take
// by this machine's measured rates, and how long it takes.
#pragma once

#include <string>
#include <vector>

#include "lathe/base/clock.h"
#include "lathe/base/fields.h"
#include "lathe/engine/graph/replay.h"
#include "lathe/life/plan/calibrate.h"

namespace lathe::plan {

/// One op at one shape; the same op of many layers is one row.
struct PlannedOp {
  std::string op, shapes;
  std::int64_t count = 0;
  double bytes = 0, flops = 0;  // of all of them: read and written; multiply and add count apart
  double predicted_seconds = 0, seconds = 0;
  double share = 0;   // of the peak named by limit, at the measured time
  std::string limit;  // "FLOP/s" of products and attention, "bytes/s" of all else
  void fields(Fields& f);
};

struct GraphPlan {
  std::string name;
  std::vector<PlannedOp> ops;  // in the order of their first call
  std::int64_t nodes = 0, arena_bytes = 0, live_bytes = 0;
  double bytes = 0, flops = 0, predicted_seconds = 0, seconds = 0;
  void fields(Fields& f);
};

/// Runs the graph `repeats` times, after once that does not count, and takes the least time of each
/// node. What the graph writes in place is written as often.
GraphPlan measure_graph(const std::string& name, graph::Replay& replay, const Calibration& machine,
                        const Clock& clock, int repeats);

/// A table for people.
std::string table_of(const GraphPlan& plan);

}  // namespace lathe::plan
