// Notices that other processes hold the cores that workers run on, and says when to work alone.
#pragma once

#include <algorithm>
#include <chrono>

namespace lathe {

/// A worker that is put off in the middle of a chunk keeps everyone waiting for milliseconds. Where
/// such stalls add up, two threads are slower than one: then jobs run in the caller for a while,
/// and after each trial that stalls again for twice as long. Not thread-safe.
class StallGuard {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  bool alone(Time now) const { return now < alone_until_; }

  /// A job began, its caller ran out of chunks, its last member left.
  void job(Time begin, Time worked, Time end) {
    const Duration waited = end - worked;
    // Large chunks may well end one after the other; a stall is longer than the work before it.
    if (waited < kStall || waited < worked - begin) return;
    if (end - window_ > kWindow) {
      if (end - window_ > kWindow + 4 * pause_) pause_ = kFirstPause;
      window_ = worked, stalled_ = {};
    }
    stalled_ += waited;
    if (stalled_ < kMostStalled) return;
    alone_until_ = end + pause_;
    window_ = alone_until_, stalled_ = {};
    pause_ = std::min(2 * pause_, kLongestPause);
  }

  static constexpr Duration kStall = std::chrono::microseconds(300);
  static constexpr Duration kWindow = std::chrono::milliseconds(50);
  static constexpr Duration kMostStalled = std::chrono::milliseconds(4);  // of a window
  static constexpr Duration kFirstPause = std::chrono::milliseconds(20);
  static constexpr Duration kLongestPause = std::chrono::milliseconds(320);

 private:
  Time alone_until_{}, window_{};
  Duration stalled_{}, pause_ = kFirstPause;
};

}  // namespace lathe
