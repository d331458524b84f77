#include "lathe/text/tokenize/char_sets.h"

#include <algorithm>
#include <iterator>

namespace lathe::tokenize {
namespace {

using Span32 = std::span<const std::uint32_t>;

/// The row {code point, place, length} of c in a table that is sorted by code point.
template <std::size_t N>
Span32 mapped(const std::uint32_t (&rows)[N][3], Span32 pool, CodePoint c) {
  const auto* at = std::lower_bound(std::begin(rows), std::end(rows), c,
                                    [](const auto& row, CodePoint code) { return row[0] < code; });
  if (at == std::end(rows) || (*at)[0] != c) return {};
  return pool.subspan((*at)[1], (*at)[2]);
}

}  // namespace

std::span<const CodePoint> lower_case(CodePoint c) {
  return mapped(tables::kLowercaseRows, tables::kLowercasePool, c);
}

std::span<const CodePoint> compatibility_decomposition(CodePoint c) {
  return mapped(tables::kCompatibilityRows, tables::kCompatibilityPool, c);
}

std::uint32_t script_of(CodePoint c) {
  const auto* after =
      std::upper_bound(std::begin(tables::kScriptRuns), std::end(tables::kScriptRuns), c,
                       [](CodePoint code, const auto& run) { return code < run[0]; });
  return (*std::prev(after))[1];
}

}  // namespace lathe::tokenize
