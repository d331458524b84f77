#include "lathe/life/generate/history.h"

#include <algorithm>

namespace lathe::generate {

void History::accept(std::int32_t id) {
  ids_.push_back(id);
  ++counts_[id];
  const auto n = static_cast<std::int64_t>(ids_.size());
  if (counted_ < 0 || n <= counted_) return;
  const auto gone = counts_.find(ids_[static_cast<std::size_t>(n - counted_ - 1)]);
  if (--gone->second == 0) counts_.erase(gone);
}

std::span<const std::int32_t> History::last(std::int64_t n) const {
  const std::size_t all = ids_.size();
  const std::size_t kept = n < 0 ? all : std::min(all, static_cast<std::size_t>(n));
  return std::span(ids_).last(kept);
}

}  // namespace lathe::generate
