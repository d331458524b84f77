// Numbers of training as people read them (base/format.h has sizes, counts and durations).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lathe::runs {

/// The shortest decimal that reads back as the same double; "null" for NaN and infinities (JSON).
std::string json_number(double value);

/// "1,234,567".
std::string grouped(std::int64_t value);

/// A learning rate in few characters: "3e-04" as "3.00e-4", 0 as "0".
std::string human_lr(double lr);

/// A loss with four significant decimals at most: "3.2143", "10.825", "nan".
std::string human_loss(double loss);
std::string human_loss(const std::optional<double>& loss);  // "-" when absent

/// Local calendar time "2026-11-23 16:29" of Unix seconds.
std::string local_time(std::int64_t unix_seconds);

}  // namespace lathe::runs
