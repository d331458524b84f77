// Memory of this process and this machine, in bytes.
#pragma once

#include <cstdint>

namespace lathe {

/// Resident memory now (VmRSS). 0 where /proc is missing.
std::int64_t resident_bytes();

/// The highest resident memory so far (VmHWM). 0 where /proc is missing.
std::int64_t peak_resident_bytes();

/// What this process may use at most: the machine's memory, or the cgroup's limit if lower.
std::int64_t total_memory_bytes();

/// What can still be taken without swapping (MemAvailable, or what the cgroup leaves if lower).
std::int64_t available_memory_bytes();

}  // namespace lathe
