// How many threads a step that is repeated many times runs on.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>

namespace lathe {

/// More threads are not always faster: decoding is bound by memory, which a part of many cores
/// exhausts, every job has a beginning and an end that grow with them, and a machine may have fewer
/// cores to give than it names. Now and then a few steps run on half or twice as many threads, and
/// what was faster by 5% stays. Two threads at least: whether one is better changes within
/// milliseconds and is StallGuard's business. Not thread-safe.
class ThreadChoice {
 public:
  using Duration = std::chrono::steady_clock::duration;

  explicit ThreadChoice(int most) : most_(most), chosen_(most) {}

  int most() const { return most_; }
  /// The present choice, and what the next step is to run on: that, or a number that is tried.
  int chosen() const { return chosen_; }
  int next() const { return tried_ == 0 ? chosen_ : tried_; }

  /// The step that next() was for took so long. `size`: of the step; times of different sizes are
  /// not compared.
  void took(Duration time, long size) {
    if (most_ <= kLeast) return;
    if (size != size_) return restart(size);
    if (tried_ == 0) return steady(time);
    least_tried_ = trials_ == 0 ? time : std::min(least_tried_, time);
    ++trials_;
    const Duration least = *std::min_element(recent_.begin(), recent_.end());
    const bool hopeless = 4 * least_tried_ > 5 * least;
    if (trials_ < kSteps && !hopeless) return;
    20 * least_tried_ < 19 * least ? adopt() : give_up();
  }

  static constexpr int kLeast = 2, kSteps = 4;
  static constexpr int kFirstPause = 8, kLongestPause = 1024;  // steps between trials

 private:
  void restart(long size) { size_ = size, tried_ = 0, steps_ = 0; }

  void steady(Duration time) {
    recent_[static_cast<std::size_t>(steps_) % kSteps] = time;
    if (++steps_ < std::max(pause_, kSteps)) return;
    tried_ = other();
    if (tried_ == chosen_) down_ = !down_, tried_ = other();
    trials_ = 0;
  }

  int other() const { return down_ ? std::max(kLeast, chosen_ / 2) : std::min(most_, chosen_ * 2); }

  /// The next trial goes on in this direction, soon.
  void adopt() {
    chosen_ = tried_, tried_ = 0, steps_ = 0;
    pause_ = kFirstPause;
  }

  void give_up() {
    tried_ = 0, steps_ = 0, down_ = !down_;
    pause_ = std::min(kLongestPause, 4 * pause_);
  }

  int most_, chosen_;
  int tried_ = 0, trials_ = 0;
  bool down_ = true;
  int steps_ = 0, pause_ = kFirstPause;
  long size_ = 0;
  std::array<Duration, kSteps> recent_{};
  Duration least_tried_{};
};

}  // namespace lathe
