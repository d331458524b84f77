// What the threads of parallel.h do while they wait.
#pragma once

#include <cstdint>
#include <span>

namespace lathe {

/// Memory that a job to come will read, a part of equal length by each thread.
struct ReadSoon {
  const void* at = nullptr;
  std::int64_t bytes = 0;
};
constexpr int kMostReadSoon = 3;

/// Threads that wait for work, or for others to end theirs, fetch the beginnings of their parts
/// into their caches meanwhile: between jobs memory stands still otherwise. A hint, until the next
/// call: nothing is read, and any address will do. At most kMostReadSoon.
void read_soon(std::span<const ReadSoon> memory) noexcept;

}  // namespace lathe
