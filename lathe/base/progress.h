// How far a long job is, for people: nothing for the first two seconds, then one line that is
// rewritten on a terminal, or a plain line every ten seconds elsewhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "lathe/base/clock.h"

namespace lathe {

/// Where progress lines go: standard error, or a test's string.
class ProgressOutput {
 public:
  virtual ~ProgressOutput() = default;
  virtual bool is_terminal() const = 0;
  virtual int width() const { return 80; }
  virtual void write(std::string_view bytes) = 0;
};

/// Standard error. A failed write is ignored: nobody is there to read it.
ProgressOutput& standard_error();

/// One line at the bottom of a terminal that is rewritten in place. While it lives, log messages
/// print above it. Elsewhere than on a terminal each show() is a plain line, at most every
/// `plain_seconds`. At most one is visible at a time; a second one waits unseen. Any thread.
class LiveLine {
 public:
  explicit LiveLine(ProgressOutput& out = standard_error(), const Clock& clock = steady_clock(),
                    double plain_seconds = 10);
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  /// Redrawn at most five times a second on a terminal.
  void show(std::string_view text);
  /// Shows this text whatever the time, and ends the line, so that it stays; then starts afresh.
  void finish(std::string_view text);
  /// Takes the line off the terminal.
  void clear();

 private:
  friend struct LiveLineInterlude;
  void draw(std::string_view text);
  void erase();

  ProgressOutput& out_;
  const Clock& clock_;
  double plain_seconds_;
  double last_ = -1e300;
  bool drawn_ = false;
  std::string text_;
};

enum class ProgressUnit { items, bytes };

/// Counts work done towards a total and shows it: "tokenizing: 45% 460 MB of 1.02 GB, 12.3 MB/s,
/// 45 s left". The destructor leaves a closing line if anything was shown.
class Progress {
 public:
  struct Options {
    std::string what;                         // "tokenizing"
    std::int64_t total = 0;                   // 0: not known
    ProgressUnit unit = ProgressUnit::items;  // of total and add()
    double quiet_seconds = 2;                 // how long nothing is shown
  };
  explicit Progress(Options options, ProgressOutput& out = standard_error(),
                    const Clock& clock = steady_clock());
  ~Progress();

  /// More work is done. Cheap (an addition and a look at the clock); any thread.
  void add(std::int64_t amount);
  /// The total became known or changed.
  void set_total(std::int64_t total) { total_.store(total, std::memory_order_relaxed); }

 private:
  std::string text(double elapsed) const;

  Options options_;
  const Clock& clock_;
  double start_;
  std::atomic<std::int64_t> done_{0}, total_;
  std::atomic<double> next_{0};  // seconds since the start at which the line is due again
  std::atomic<bool> shown_{false};
  LiveLine line_;
};

}  // namespace lathe
