#include "lathe/app/store/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "lathe/app/store/model_name.h"
#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe::store {
namespace {

std::string_view phrase(int status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 408:
      return " Request Timeout";
    case 416:
      return " Range Not Satisfiable";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

/// From where the hub redirected to: its signed addresses expire, and the hub makes new ones.
bool came_from_elsewhere(const HttpAnswer& answer) {
  return answer.heads.size() > 1 &&
         origin_of(answer.heads.front().url) != origin_of(answer.heads.back().url);
}

void wait_unless_stopped(double seconds, const StopToken& stop) {
  const double end = steady_clock().seconds() + seconds;
  for (;;) {
    if (stop.requested()) fail(ErrorCode::kCancelled, "stopped on request");
    const double left = end - steady_clock().seconds();
    if (left <= 0) return;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.1)));
  }
}

}  // namespace

std::optional<double> retry_after(const std::string& value, double now_unix_seconds) {
  if (value.empty()) return std::nullopt;
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size() && seconds >= 0 && seconds < 1e12)
    return seconds;
  const auto date = static_cast<double>(::curl_getdate(value.c_str(), nullptr));
  if (date < 0) return std::nullopt;
  return std::max(0.0, date - now_unix_seconds);
}

bool Retry::may_help(const HttpAnswer& answer) {
  if (!answer.failure.empty()) return true;
  const int status = answer.status();
  if (status == 403 && came_from_elsewhere(answer)) return true;
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}

bool Retry::wait(const std::string& what, const HttpAnswer& answer) {
  if (++failures_ >= rules_.most_failures) return false;
  double seconds =
      std::min(rules_.first_wait * static_cast<double>(1 << (failures_ - 1)), rules_.longest_wait);
  const std::string header = answer.heads.empty() ? "" : answer.heads.back().header("retry-after");
  if (const auto asked = retry_after(header, unix_seconds())) {
    if (*asked > rules_.longest_asked) return false;
    seconds = std::max(seconds, *asked);
  }
  log::warning("{}: {}; trying again in {}", what, reason_of(answer), human_duration(seconds));
  wait_unless_stopped(seconds, stop_);
  return true;
}

std::string reason_of(const HttpAnswer& answer) {
  if (!answer.failure.empty()) return printable(answer.failure);
  std::string text = fmt::format("{}{}", answer.status(), phrase(answer.status()));
  if (answer.heads.empty()) return text;
  if (const std::string more = answer.heads.back().header("x-error-message"); !more.empty())
    text += " (" + printable(more) + ")";
  if (const std::string wait = answer.heads.back().header("retry-after"); !wait.empty())
    text += ", Retry-After " + printable(wait);
  return text;
}

}  // namespace lathe::store
