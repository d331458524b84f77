// Time that tests can hold in their hands.
#pragma once

#include <string>

namespace lathe {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Seconds since a fixed point in the past; never goes back.
  virtual double seconds() const = 0;
};

/// The machine's monotonic clock.
const Clock& steady_clock();

/// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  double seconds() const override { return now_; }
  void advance(double seconds) { now_ += seconds; }

 private:
  double now_ = 0;
};

/// Seconds since 1970 in UTC, with fractions.
double unix_seconds();

/// "2026-11-23T16:29:46Z".
std::string utc_timestamp(double unix_seconds);
inline std::string utc_timestamp() { return utc_timestamp(unix_seconds()); }

}  // namespace lathe
