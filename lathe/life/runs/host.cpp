#include "lathe/life/runs/host.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace lathe::runs {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// Field 22 of /proc/PID/stat, counted behind the command name, which may hold spaces and brackets.
// 0 when there is no such process.
std::int64_t start_of(std::int64_t pid) {
  const std::string line = first_line(fmt::format("/proc/{}/stat", pid));
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return 0;
  std::istringstream fields(line.substr(end_of_name + 1));
  std::string field;
  fields >> field;
  if (field == "Z" || field == "X") return 0;  // ended, only its parent has not asked yet
  for (int i = 4; i <= 22; ++i) fields >> field;
  return std::strtoll(field.c_str(), nullptr, 10);
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

ProcessMark this_process() {
  const std::int64_t pid = ::getpid();
  return {host_name(), first_line("/proc/sys/kernel/random/boot_id"), pid, start_of(pid)};
}

Liveness liveness(const ProcessMark& mark) {
  if (mark.pid <= 0 || mark.host != host_name()) return Liveness::kUnknown;
  const std::string boot = first_line("/proc/sys/kernel/random/boot_id");
  if (!boot.empty() && !mark.boot.empty() && boot != mark.boot) return Liveness::kDead;
  const std::int64_t started = start_of(mark.pid);
  const bool same = started != 0 && (mark.started == 0 || started == mark.started);
  return same ? Liveness::kAlive : Liveness::kDead;
}

}  // namespace lathe::runs
