// Recorders for people: where time goes, and where the first NaN came from.
#pragma once

#include <map>
#include <string>

#include "lathe/base/clock.h"
#include "lathe/engine/ops/op.h"

namespace lathe::ops {

/// Time, calls, FLOPs and bytes by op. Thread rule: the thread that applies.
class Profiler : public Recorder {
 public:
  explicit Profiler(const Clock& clock = steady_clock()) : clock_(clock) {}

  struct Row {
    std::int64_t calls = 0;
    double seconds = 0, flops = 0, bytes = 0;
  };
  const std::map<std::string, Row>& rows() const { return rows_; }
  /// A table, the slowest op first.
  std::string report() const;

  void before(const OpDef&, Inputs, const Attrs&) override { started_ = clock_.seconds(); }
  void after(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) override;

 private:
  const Clock& clock_;
  double started_ = 0;
  std::map<std::string, Row> rows_;
};

/// Throws Internal, naming the op and its inputs, at the first result with a NaN or an infinity.
class NanCheck : public Recorder {
 public:
  void after(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) override;
};

}  // namespace lathe::ops
