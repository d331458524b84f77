#include "lathe/base/clock.h"

#include <fmt/core.h>
#include <time.h>

namespace lathe {
namespace {

double read(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

class SteadyClock final : public Clock {
 public:
  double seconds() const override { return read(CLOCK_MONOTONIC); }
};

}  // namespace

const Clock& steady_clock() {
  static const SteadyClock clock;
  return clock;
}

double unix_seconds() { return read(CLOCK_REALTIME); }

std::string utc_timestamp(double unix_seconds) {
  const time_t whole = static_cast<time_t>(unix_seconds);
  tm parts{};
  gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace lathe
