// Sets of characters as ascending ranges, and the sets that regular expressions have names for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

/// Ascending, apart from each other, without surrogates.
using CodeRanges = std::vector<CodeRange>;

/// Sorts and joins; ranges that begin or end in surrogates must not be given.
CodeRanges normalised(CodeRanges ranges);
CodeRanges complement(const CodeRanges& ranges);
CodeRanges intersection(const CodeRanges& a, const CodeRanges& b);

/// A general category or its first letter ("L", "Lu"), or a script ("Han"). Nothing if unknown.
std::optional<CodeRanges> property_ranges(std::string_view name);
/// \s of Oniguruma.
CodeRanges space_ranges();
/// \w of Oniguruma: letters, marks, digits, letter-like numbers and symbols, connectors. Outside of
/// [] also the superscript digits and fractions of Latin-1: it looks those up in another table.
CodeRanges word_ranges(bool in_set);

/// "\x{61}-\x{7a}\x{e9}": what stands between [ and ].
std::string spelled(const CodeRanges& ranges);

}  // namespace lathe::tokenize
