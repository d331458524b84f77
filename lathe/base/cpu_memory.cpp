#include "lathe/base/cpu_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace lathe {
namespace {

/// The number after `key` in a "Key:   123 kB" file, in bytes; 0 where it is absent.
std::int64_t kilobytes_of(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.compare(0, key.size(), key) == 0)
      return 1024 * std::strtoll(line.c_str() + key.size(), nullptr, 10);
  return 0;
}

/// A file that holds one number, or "max"; the largest integer where there is none.
std::int64_t number_in(const char* file) {
  std::ifstream in(file);
  std::int64_t value = 0;
  return in >> value ? value : std::numeric_limits<std::int64_t>::max();
}

std::int64_t cgroup_limit() {
  return std::min(number_in("/sys/fs/cgroup/memory.max"),
                  number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
}

}  // namespace

std::int64_t resident_bytes() { return kilobytes_of("/proc/self/status", "VmRSS:"); }

std::int64_t peak_resident_bytes() { return kilobytes_of("/proc/self/status", "VmHWM:"); }

std::int64_t total_memory_bytes() {
  return std::min(kilobytes_of("/proc/meminfo", "MemTotal:"), cgroup_limit());
}

std::int64_t available_memory_bytes() {
  const std::int64_t machine = kilobytes_of("/proc/meminfo", "MemAvailable:");
  const std::int64_t limit = cgroup_limit();
  const std::int64_t used = std::min(number_in("/sys/fs/cgroup/memory.current"),
                                     number_in("/sys/fs/cgroup/memory/memory.usage_in_bytes"));
  if (limit == std::numeric_limits<std::int64_t>::max() || used > limit) return machine;
  return std::min(machine, limit - used);
}

}  // namespace lathe
