// Numbers as format specifications ask for them.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "lathe/base/error.h"
#include "lathe/text/chat/format.h"

namespace lathe::chat {
namespace {

constexpr std::int64_t kMostDigits = 400;  // after the point

std::string integer_digits(std::uint64_t magnitude, int base) {
  char buffer[72];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, magnitude, base);
  return std::string(buffer, end.ptr);
}

/// Without sign. printf rounds as Python does: the exact binary value, halves to even.
std::string real_digits(double magnitude, const FormatSpec& spec) {
  if (std::isnan(magnitude)) return "nan";
  if (std::isinf(magnitude)) return "inf";
  char type = spec.type == '%' ? 'f' : spec.type;
  if (spec.type == 0 && spec.precision < 0) return print_real(magnitude);
  if (type == 0 || type == 'n') type = 'g';
  const int precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
  const char format[] = {'%', spec.alternative ? '#' : '0', '.', '*', type, 0};
  char buffer[800];
  const int size = std::snprintf(buffer, sizeof buffer, format, precision, magnitude);
  std::string digits(buffer, static_cast<std::size_t>(size));
  // A float without a type has a digit after the point.
  if (spec.type == 0 && digits.find_first_of(".en") == digits.npos) digits += ".0";
  if (spec.type == '%') digits += '%';
  return digits;
}

std::string grouped(const std::string& digits, char separator, int group) {
  const std::size_t whole = std::min(digits.find_first_of(".eE%"), digits.size());
  std::string out;
  for (std::size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % static_cast<std::size_t>(group) == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return text;
}

struct Parts {
  std::string sign, prefix, digits;
};

Parts integer_parts(std::int64_t value, const FormatSpec& spec) {
  const auto bits = static_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = value < 0 ? ~bits + 1 : bits;
  Parts parts;
  parts.sign = value < 0 ? "-" : "";
  int base = 10;
  if (spec.type == 'b') base = 2;
  if (spec.type == 'o') base = 8;
  if (spec.type == 'x' || spec.type == 'X') base = 16;
  parts.digits = integer_digits(magnitude, base);
  if (spec.alternative && base != 10) parts.prefix = {'0', spec.type};
  if (spec.type == 'X') parts.digits = upper(parts.digits);
  if (spec.group != 0) parts.digits = grouped(parts.digits, spec.group, base == 10 ? 3 : 4);
  return parts;
}

Parts real_parts(double value, const FormatSpec& spec) {
  Parts parts;
  if (std::signbit(value) && !std::isnan(value)) parts.sign = "-";
  FormatSpec plain = spec;
  plain.type = static_cast<char>(
      spec.type == 'F' || spec.type == 'E' || spec.type == 'G' ? spec.type | 32 : spec.type);
  if (spec.type == '%') value *= 100;
  parts.digits = real_digits(std::fabs(value), plain);
  if (plain.type != spec.type) parts.digits = upper(parts.digits);
  if (spec.group != 0) parts.digits = grouped(parts.digits, spec.group, 3);
  return parts;
}

}  // namespace

std::string format_number(const Value& value, const FormatSpec& spec) {
  if (spec.precision > kMostDigits)
    fail(ErrorCode::kInvalidArgument, "a precision of more than {} digits", kMostDigits);
  static constexpr std::string_view kOfIntegers = "bdoxXn", kOfReals = "eEfFgG%n";
  const bool as_integer =
      value.is_integral() && (spec.type == 0 || kOfIntegers.find(spec.type) != std::string::npos);
  const bool as_real = value.is_number() && !as_integer &&
                       (spec.type == 0 || kOfReals.find(spec.type) != std::string::npos);
  if (!as_integer && !as_real)
    type_error(fmt::format("Unknown format code '{}' for object of type '{}'", spec.type,
                           type_name(value)));
  Parts parts = as_integer ? integer_parts(value.integer(), spec) : real_parts(value.real(), spec);
  if (parts.sign.empty() && spec.sign != '-') parts.sign = spec.sign;
  std::string out = parts.sign + parts.prefix + parts.digits;
  const auto missing = spec.width - static_cast<std::int64_t>(out.size());
  if (missing > 0 && spec.align == '=') {
    std::string fill;
    for (std::int64_t i = 0; i < missing; ++i) fill += spec.fill;
    out = parts.sign + parts.prefix + fill + parts.digits;
  }
  return out;
}

}  // namespace lathe::chat
