// "Did you mean ...?" for keys, verbs and names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, letter case
/// ignored. Only the first 64 bytes of each count.
/// Source: optimal string alignment, Boytsov 2011, "Indexing methods for approximate dictionary
/// searching", section 2.
int edit_distance(std::string_view a, std::string_view b);

/// How unlike two names are: their edit distance, or 1 where one begins with the other (at least
/// three letters); a large number where they are too far apart to suggest one for the other.
double name_distance(std::string_view written, std::string_view meant);
inline constexpr double kTooFar = 1e9;

/// The closest candidate (the first of equals), or "" where none is close.
std::string nearest(std::string_view written, const std::vector<std::string>& candidates);

/// "; did you mean 'x'?", or "" where none is close.
std::string did_you_mean(std::string_view written, const std::vector<std::string>& candidates);

}  // namespace lathe
