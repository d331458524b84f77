// When to ask a server again, and how long to wait before.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "lathe/app/store/http.h"
#include "lathe/base/stop.h"

namespace lathe::store {

struct RetryRules {
  int most_failures = 5;       // in a row without a byte in between
  double first_wait = 1;       // seconds; doubles each time
  double longest_wait = 60;    // of our own doubling
  double longest_asked = 600;  // of Retry-After; asked for more, the pull ends with a message
};

/// What Retry-After asks for, in seconds from now: a number or a date (RFC 9110, 10.2.3). Empty
/// where there is none or it cannot be read. Never negative.
std::optional<double> retry_after(const std::string& value, double now_unix_seconds);

/// Counts failures in a row and waits between them.
class Retry {
 public:
  Retry(RetryRules rules, StopToken stop) : rules_(rules), stop_(stop) {}

  /// A failure that another try may mend: of the network, 408, 429, 500, 502, 503, 504;
  /// 403 of another host that the hub sent us to, since such addresses expire.
  static bool may_help(const HttpAnswer& answer);

  /// Logs, waits and returns true where another try is due; false where it was the last one.
  /// Throws kCancelled when asked to stop meanwhile.
  bool wait(const std::string& what, const HttpAnswer& answer);

  /// Bytes have come: earlier failures are forgotten.
  void reset() { failures_ = 0; }

 private:
  RetryRules rules_;
  StopToken stop_;
  int failures_ = 0;
};

/// Why an answer is of no use, in one line: "429 Too Many Requests" or the network's reason.
std::string reason_of(const HttpAnswer& answer);

}  // namespace lathe::store
