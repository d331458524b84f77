// Which machine and which process a run belongs to, so that a dead run can be told from a live one.
#pragma once

#include <cstdint>
#include <string>

namespace lathe::runs {

std::string host_name();

/// A process, named so that a later one with the same number is another process.
struct ProcessMark {
  std::string host;
  std::string boot;          // the kernel's boot id; another one: the machine was restarted
  std::int64_t pid = 0;      // 0: unknown
  std::int64_t started = 0;  // clock ticks after boot

  friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};

ProcessMark this_process();

enum class Liveness { kAlive, kDead, kUnknown };

/// kUnknown for a process of another machine, or when the mark says nothing.
Liveness liveness(const ProcessMark& mark);

}  // namespace lathe::runs
