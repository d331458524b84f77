// What a person sees while a model trains: one live line on a terminal, a plain log elsewhere.
//
//   42%  ━━━━━━╸───────  step 1,234  loss 3.2143  1.3120 bits/byte  lr 3.00e-4  5.21k tok/s  ...
//
// Threads: all members may be called from any thread. The line itself, and how it makes room for
// log messages, is base's LiveLine.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "lathe/base/clock.h"
#include "lathe/base/progress.h"
#include "lathe/life/runs/metrics.h"

namespace lathe::runs {

struct DisplayOptions {
  std::int64_t total_tokens = 0;  // of the whole run; 0: unknown, no percentage and no ETA
  std::int64_t start_tokens = 0;  // done before this session (a resumed run)
  std::optional<double> best_valid_bpb = {};  // before this session
  double plain_seconds = 10;     // not on a terminal: a line at least this far apart ...
  std::int64_t plain_steps = 0;  // ... or every so many steps when not 0
  ProgressOutput* out = &standard_error();
  const Clock* clock = &steady_clock();
};

class TrainDisplay {
 public:
  explicit TrainDisplay(const DisplayOptions& options);
  ~TrainDisplay();
  TrainDisplay(const TrainDisplay&) = delete;
  TrainDisplay& operator=(const TrainDisplay&) = delete;

  /// Shows a step. Validation results and skipped steps get a line of their own that stays.
  void update(const StepMetrics& metrics);

  /// Generated text, framed; control characters in it cannot reach the terminal.
  void sample(std::int64_t step, std::string_view text);

  /// A line that stays, above the live one.
  void note(std::string_view line);

  /// Leaves the last state on the screen and ends the live line. Called by the destructor too.
  void finish();

 private:
  std::string live_line() const;
  std::string plain_line() const;
  std::optional<double> eta_seconds() const;
  void show();
  void above(std::string_view text);
  void above_validation();

  const DisplayOptions options_;
  const double started_;
  std::mutex mutex_;
  LiveLine line_;
  StepMetrics last_;
  std::optional<double> valid_bpb_, best_bpb_;
  bool any_ = false, finished_ = false;
  double shown_at_ = -1e300;     // plain: when the last line was written ...
  std::int64_t shown_step_ = 0;  // ... and of which step
};

}  // namespace lathe::runs
