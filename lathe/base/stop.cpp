#include "lathe/base/stop.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace lathe {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free);  // so that a handler may use it
std::atomic<bool> asked{false};

void handle(int signal_number) {  // only async-signal-safe calls
  if (asked.exchange(true)) {
    ::signal(signal_number, SIG_DFL);
    ::raise(signal_number);
    return;
  }
  const int saved = errno;
  static constexpr char kText[] = "\nlathe: stopping; once more (Ctrl-C) to end at once\n";
  if (::write(STDERR_FILENO, kText, sizeof kText - 1) < 0) errno = 0;
  errno = saved;
}

}  // namespace

StopToken stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = handle;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return StopToken(&asked);
}

}  // namespace lathe
