// Numbers for people: sizes, counts and durations in a fixed, short width.
#pragma once

#include <cstdint>
#include <string>

namespace lathe {

/// 0 B, 999 B, 1.0 kB, 12.3 MB, 1.54 GB: powers of 1000, three significant digits.
std::string human_bytes(double bytes);

/// 0, 999, 1.00k, 12.3M, 1.54B, 2.10T: powers of 1000, three significant digits.
std::string human_count(double count);

/// 85 ms, 3.2 s, 4 min 05 s, 2 h 07 min, 3 d 04 h. Negative or not a number: "?".
std::string human_duration(double seconds);

/// The shortest decimal text that reads back as exactly this double, always recognisable as a
/// floating-point number ("1.0", "5e-07", "nan", "inf").
std::string shortest(double value);

}  // namespace lathe
