// The tokens of a text so far, as the penalties see them.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace lathe::generate {

class History {
 public:
  /// Counts run over the last n tokens; -1: over all.
  explicit History(std::int64_t counted) : counted_(counted) {}

  void accept(std::int32_t id);

  /// How often each id occurs among the counted tokens; only those that do.
  const std::unordered_map<std::int32_t, std::int64_t>& counts() const { return counts_; }

  /// The last n tokens, or all where there are fewer or n is negative.
  std::span<const std::int32_t> last(std::int64_t n) const;

 private:
  std::int64_t counted_;
  std::vector<std::int32_t> ids_;
  std::unordered_map<std::int32_t, std::int64_t> counts_;
};

}  // namespace lathe::generate
