// What one training step measured, and metrics.jsonl: one such line of JSON a step.
//
//   {"step":120,"tokens":983040,"loss":4.1287,"lr":0.0003,"tokens_per_second":5210.4,...}
//
// The file is the truth about a run's course; the event files, the plot and the index of runs can
// be made from it again.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/base/files.h"

namespace lathe::runs {

/// One line. A value that is NaN or infinite is written as null and read back as NaN; an absent
/// optional is left out.
struct StepMetrics {
  std::int64_t step = 0;    // optimizer steps done, this one included
  std::int64_t tokens = 0;  // supervised tokens seen since the run began
  double loss = std::numeric_limits<double>::quiet_NaN();  // training, nats a token
  std::optional<double> bits_per_byte;                     // training
  double lr = 0;
  double tokens_per_second = 0;
  std::optional<double> mfu;        // share of this machine's peak FLOP/s, 0 to 1
  std::optional<double> grad_norm;  // before clipping
  std::optional<std::int64_t> memory_bytes;
  double seconds = 0;  // of training since the run began, all sessions
  std::optional<double> valid_loss;
  std::optional<double> valid_bpb;
  std::string skipped;  // why the update was skipped; empty when it was not
  std::vector<std::pair<std::string, double>> extra;  // an objective's own, in order of addition

  /// f(name, member) for every named member in the order of the line.
  template <typename Self, typename F>
  static void each(Self& m, F&& f) {
    f("step", m.step);
    f("tokens", m.tokens);
    f("loss", m.loss);
    f("bits_per_byte", m.bits_per_byte);
    f("lr", m.lr);
    f("tokens_per_second", m.tokens_per_second);
    f("mfu", m.mfu);
    f("grad_norm", m.grad_norm);
    f("memory_bytes", m.memory_bytes);
    f("seconds", m.seconds);
    f("valid_loss", m.valid_loss);
    f("valid_bpb", m.valid_bpb);
    f("skipped", m.skipped);
  }
};

/// The line without its line feed. Extra names that are a member's are left out.
std::string to_json_line(const StepMetrics& metrics);

struct MetricsProblem {
  std::int64_t line;  // 1-based
  std::string what;
};

/// What a tolerant reader found. Rows ascend in step: lines of one step are merged (the later
/// value wins) and a line that goes back in steps drops the rows it repeats.
struct MetricsFile {
  std::vector<StepMetrics> rows;
  std::vector<MetricsProblem> problems;  // the first 20
  std::int64_t problem_count = 0;
  bool broken_last_line = false;  // the last line is cut off: the writer was killed or is writing
};

/// Reads lines of JSON; broken ones are reported and left out. Does not throw on any bytes.
MetricsFile parse_metrics(std::string_view text);

/// As parse_metrics. Throws Error(kNotFound or kIo) when the file cannot be read.
MetricsFile read_metrics(const FileSystem& files, const std::string& path);

/// Appends lines to metrics.jsonl. A line is in the kernel's hands when write() returns, so it
/// survives kill -9 of this process; sync() at a checkpoint makes it survive a power failure.
/// On a full disk training goes on: lines wait in memory (up to 1 MB) with one warning.
/// Not thread safe.
class MetricsWriter {
 public:
  /// Keeps the lines up to `keep_step` (-1: none) and removes later, broken and half-written ones
  /// in one atomic replacement. Throws Error(kIo) when the file cannot be opened.
  MetricsWriter(FileSystem& files, const std::string& path, std::int64_t keep_step = -1);

  void write(const StepMetrics& metrics);

  /// Call before a checkpoint is published. Does not throw; warns once when it fails.
  void sync();

 private:
  void append_pending();
  void warn(std::string_view what);

  std::unique_ptr<FileWriter> file_;
  std::string pending_;
  bool torn_ = false;  // a failed write may have left half a line
  bool warned_ = false;
};

/// The text without lines later than `keep_step` and without lines that are no metrics; each kept
/// line is unchanged and ends in a line feed.
std::string keep_until(std::string_view text, std::int64_t keep_step);

}  // namespace lathe::runs
