// Extended grapheme clusters: what a reader takes for one character.
// Source: Unicode Standard Annex 29, rules GB3 to GB999.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lathe::tokenize {

/// Walks the clusters of valid UTF-8 from left to right.
class GraphemeScan {
 public:
  explicit GraphemeScan(std::string_view text) : text_(text) {}

  /// The end of the next cluster; the end of the text where there is none.
  std::size_t next();

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace lathe::tokenize
