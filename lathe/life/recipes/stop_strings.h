// Ends a text where one of some strings appears, while it is still being written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::recipes {

/// Passes text on and keeps back what may become a stop string, so that no part of one is ever
/// shown. Where several end at the same byte, the longest counts. O(bytes) for each string. Empty
/// strings are ignored.
class StopStrings {
 public:
  explicit StopStrings(const std::vector<std::string>& strings);

  /// The text that can be shown now. Nothing comes after a match.
  std::string push(std::string_view text);
  /// What was kept back and is no stop string after all.
  std::string finish();

  bool matched() const { return !match_.empty(); }
  /// The string that was found.
  const std::string& match() const { return match_; }

 private:
  struct Pattern {
    std::string text;
    std::vector<std::size_t> borders;  // longest proper prefix that is a suffix, of each prefix
    std::size_t at = 0;                // bytes of it that the text ends with
  };

  std::vector<Pattern> patterns_;
  std::string waiting_, match_;
};

}  // namespace lathe::recipes
