// Filters on numbers. Source of what they do: jinja2 3.1 (filters).
#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

/// Without spaces around it and single underscores between its digits; empty if they stand
/// elsewhere.
std::string plain_number(std::string_view text) {
  text.remove_prefix(leading_spaces(text));
  text.remove_suffix(trailing_spaces(text));
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    if (text[i] != '_')
      out += text[i];
    else if (i == 0 || i + 1 == text.size() || !is_word(text[i - 1]) || !is_word(text[i + 1]))
      return "";
  }
  return out;
}

std::optional<std::int64_t> integer_of(std::string_view text, int base) {
  std::string plain = plain_number(text);
  const bool negative = plain.starts_with('-');
  if (negative || plain.starts_with('+')) plain.erase(0, 1);
  const char letter = plain.size() > 2 && plain[0] == '0' ? static_cast<char>(plain[1] | 32) : 0;
  if ((base == 16 && letter == 'x') || (base == 8 && letter == 'o') || (base == 2 && letter == 'b'))
    plain.erase(0, 2);
  if (plain.empty() || plain[0] == '-') return std::nullopt;
  if (negative) plain.insert(0, "-");
  std::int64_t value = 0;
  const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), value, base);
  if (read.ptr != plain.data() + plain.size()) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range)
    fail(ErrorCode::kUnsupported, "integers of more than 64 bits are not supported in templates");
  if (read.ec != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> real_of(std::string_view text) {
  std::string plain = plain_number(text);
  std::string word;
  for (const char c : plain) word += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const bool is_signed = word.starts_with('-') || word.starts_with('+');
  const double sign = word.starts_with('-') ? -1 : 1;
  if (is_signed) word.erase(0, 1);
  if (word == "inf" || word == "infinity") return sign * HUGE_VAL;
  if (word == "nan") return std::nan("");
  if (word.empty() || word.find_first_not_of("0123456789.e+-") != word.npos) return std::nullopt;
  double value = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
  if (read.ptr != word.data() + word.size() || word[0] == '-') return std::nullopt;
  if (read.ec == std::errc::result_out_of_range)
    value = std::strtod(word.c_str(), nullptr);
  else if (read.ec != std::errc())
    return std::nullopt;
  return sign * value;
}

std::optional<std::int64_t> truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::fabs(value) >= 9.2e18)
    fail(ErrorCode::kUnsupported, "integers of more than 64 bits are not supported in templates");
  return static_cast<std::int64_t>(value);
}

Value to_int(Machine&, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"default", "base"});
  if (self.is_undefined()) undefined_error(self);
  std::optional<std::int64_t> value;
  if (self.is_integral()) value = self.integer();
  if (self.is(Kind::real)) value = truncated(self.real());
  if (self.is_text()) {
    value = integer_of(self.text().view(), static_cast<int>(bound.integer(1, 10)));
    const std::optional<double> real = value ? std::nullopt : real_of(self.text().view());
    if (real) value = truncated(*real);
  }
  if (value) return Value::of(*value);
  return bound.has(0) ? bound.value(0) : Value::of(std::int64_t{0});
}

Value to_float(Machine&, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"default"});
  if (self.is_undefined()) undefined_error(self);
  if (self.is_number()) return Value::of(self.real());
  if (self.is_text())
    if (const std::optional<double> value = real_of(self.text().view())) return Value::of(*value);
  return bound.has(0) ? bound.value(0) : Value::of(0.0);
}

Value absolute(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  if (self.is_undefined()) undefined_error(self);
  if (!self.is_number())
    type_error(fmt::format("bad operand type for abs(): '{}'", type_name(self)));
  if (self.is(Kind::real)) return Value::of(std::fabs(self.real()));
  if (self.integer() >= 0) return Value::of(self.integer());
  return machine.arithmetic(Op::subtract, Value::of(std::int64_t{0}), self);
}

double rounded(double value, std::int64_t precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision < -300) return std::copysign(0.0, value);
  if (precision < 0) {
    const double scale = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / scale) * scale;
  }
  char buffer[700];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), value);
  return std::strtod(buffer, nullptr);
}

Value round_filter(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"precision", "method"});
  if (self.is_undefined()) undefined_error(self);
  if (!self.is_number())
    type_error(fmt::format("type {} doesn't define __round__ method", type_name(self)));
  const std::int64_t precision = bound.integer(0, 0);
  const std::string method =
      bound.has(1) ? need_text(*bound.get(1), "the method").bytes() : "common";
  if (method == "common") {
    if (self.is(Kind::real)) return Value::of(rounded(self.real(), precision));
    if (precision >= 0) return Value::of(self.integer());
    if (precision < -18) return Value::of(std::int64_t{0});
    const std::int64_t scale =
        static_cast<std::int64_t>(std::pow(10.0, static_cast<double>(-precision)));
    const Value rest = machine.arithmetic(Op::modulo, Value::of(self.integer()), Value::of(scale));
    const std::int64_t down = self.integer() - rest.integer(), twice = 2 * rest.integer();
    const bool up = twice > scale || (twice == scale && (down / scale) % 2 != 0);
    return Value::of(up ? down + scale : down);
  }
  if (method != "ceil" && method != "floor") type_error("method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = self.real() * scale;
  return Value::of((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value filesizeformat(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"binary"});
  Arguments none;
  const double bytes = to_float(machine, self, none).real();
  const double base = bound.flag(0, false) ? 1024 : 1000;
  static constexpr std::string_view kUnits = "kMGTPEZY";
  if (bytes == 1) return machine.heap().text("1 Byte");
  if (bytes < base)
    return machine.heap().text(fmt::format("{} Bytes", truncated(bytes).value_or(0)));
  double unit = base;
  for (const char letter : kUnits) {
    unit *= base;
    if (bytes >= unit && letter != 'Y') continue;
    const char first = base == 1024 && letter == 'k' ? 'K' : letter;
    return machine.heap().text(
        fmt::format("{:.1f} {}{}", base * bytes / unit, first, base == 1024 ? "iB" : "B"));
  }
  return Value::none();
}

}  // namespace

void add_number_filters(BuiltinList& table) {
  table.insert(table.end(), {{"int", to_int},
                             {"float", to_float},
                             {"abs", absolute},
                             {"round", round_filter},
                             {"filesizeformat", filesizeformat}});
}

}  // namespace lathe::chat
