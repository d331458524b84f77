// A request to end early, from Ctrl-C or from code.
#pragma once

#include <atomic>
#include <memory>

namespace lathe {

/// Handed to loops, which ask it between steps. Copies share the request; a default one is never
/// asked to stop. Any thread.
class StopToken {
 public:
  StopToken() = default;
  bool requested() const { return flag_ != nullptr && flag_->load(std::memory_order_relaxed); }

 private:
  friend class StopSource;
  friend StopToken stop_on_signals();
  explicit StopToken(const std::atomic<bool>* flag) : flag_(flag) {}
  const std::atomic<bool>* flag_ = nullptr;
};

/// Asks its tokens to stop. Must outlive them.
class StopSource {
 public:
  StopToken token() const { return StopToken(&flag_); }
  void request() { flag_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<bool> flag_{false};
};

/// From now on the first SIGINT (Ctrl-C) or SIGTERM asks this token to stop and says so on standard
/// error; the second ends the process at once, as if nobody had listened. May be called again.
StopToken stop_on_signals();

}  // namespace lathe
