// + - * / // % ** of Python, on integers of 64 bits.
#include <fmt/core.h>

#include <cmath>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/format.h"
#include "lathe/text/chat/html.h"
#include "lathe/text/chat/machine.h"

namespace lathe::chat {
namespace {

std::string_view name_of(Op op) {
  static constexpr std::string_view kNames[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};
  return kNames[static_cast<int>(op)];
}

[[noreturn]] void too_large() {
  fail(ErrorCode::kUnsupported, "integers of more than 64 bits are not supported in templates");
}

[[noreturn]] void by_zero() { type_error("division by zero"); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) by_zero();
  if (b == -1) {
    std::int64_t negated = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &negated)) too_large();
    return negated;
  }
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == 0) by_zero();
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double modulo(double a, double b) {
  if (b == 0) by_zero();
  const double rest = std::fmod(a, b);
  if (rest != 0) return (rest < 0) != (b < 0) ? rest + b : rest;
  return std::copysign(0.0, b);
}

double floor_divide(double a, double b) {
  const double rest = modulo(a, b);
  const double quotient = (a - rest) / b;
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) too_large();
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) too_large();
  }
  return result;
}

Value real_power(double base, double exponent) {
  if (base == 0 && exponent < 0) type_error("0.0 cannot be raised to a negative power");
  if (base < 0 && exponent != std::floor(exponent))
    fail(ErrorCode::kUnsupported, "complex numbers are not supported in templates");
  return Value::of(std::pow(base, exponent));
}

Value of_integers(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case Op::add:
      if (__builtin_add_overflow(a, b, &result)) too_large();
      return Value::of(result);
    case Op::subtract:
      if (__builtin_sub_overflow(a, b, &result)) too_large();
      return Value::of(result);
    case Op::multiply:
      if (__builtin_mul_overflow(a, b, &result)) too_large();
      return Value::of(result);
    case Op::divide:
      if (b == 0) by_zero();
      return Value::of(static_cast<double>(a) / static_cast<double>(b));
    case Op::floor_divide:
      return Value::of(floor_divide(a, b));
    case Op::modulo:
      return Value::of(modulo(a, b));
    default:
      return b < 0 ? real_power(static_cast<double>(a), static_cast<double>(b))
                   : Value::of(power(a, b));
  }
}

Value of_reals(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return Value::of(a + b);
    case Op::subtract:
      return Value::of(a - b);
    case Op::multiply:
      return Value::of(a * b);
    case Op::divide:
      if (b == 0) by_zero();
      return Value::of(a / b);
    case Op::floor_divide:
      return Value::of(floor_divide(a, b));
    case Op::modulo:
      return Value::of(modulo(a, b));
    default:
      return real_power(a, b);
  }
}

Value repeated(Heap& heap, const Value& value, std::int64_t count) {
  if (value.is_text()) {
    heap.check_text(value.text().size(), count);
    Text out;
    for (; count > 0; --count) out.append(value.text());
    return heap.text(std::move(out), value.is_markup());
  }
  heap.check_text(value.items().size() * sizeof(Value), count);
  std::vector<Value> items;
  for (; count > 0 && !value.items().empty(); --count)
    items.insert(items.end(), value.items().begin(), value.items().end());
  return value.is(Kind::list) ? heap.list(std::move(items)) : heap.tuple(std::move(items));
}

Value added(Heap& heap, const Value& a, const Value& b) {
  if (a.is_text()) {
    const bool markup = a.is_markup() || b.is_markup();
    Text text = markup ? as_markup(a) : a.text();
    heap.work(text.size());
    heap.check_text(text.size() + b.text().size());
    text.append(markup ? as_markup(b) : b.text());
    return heap.text(std::move(text), markup);
  }
  std::vector<Value> items = a.items();
  items.insert(items.end(), b.items().begin(), b.items().end());
  return a.is(Kind::list) ? heap.list(std::move(items)) : heap.tuple(std::move(items));
}

}  // namespace

Value Machine::arithmetic(Op op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return of_integers(op, a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return of_reals(op, a.real(), b.real());
  if (op == Op::modulo && a.is_text())
    return heap_.text(percent_format(*this, a.text(), b, a.is_markup()), a.is_markup());
  for (const Value* side : {&a, &b})
    if (side->is_undefined()) undefined_error(*side);
  const auto repeats = [](const Value& value) { return value.is_text() || value.is_sequence(); };
  if (op == Op::multiply && repeats(a) && b.is_integral()) return repeated(heap_, a, b.integer());
  if (op == Op::multiply && repeats(b) && a.is_integral()) return repeated(heap_, b, a.integer());
  if (op == Op::add && a.kind() == b.kind() && repeats(a)) return added(heap_, a, b);
  if (op == Op::add && a.is_text())
    type_error(fmt::format("can only concatenate str (not \"{}\") to str", type_name(b)));
  if (op == Op::add && a.is_sequence())
    type_error(
        fmt::format("can only concatenate {0} (not \"{1}\") to {0}", type_name(a), type_name(b)));
  type_error(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", name_of(op),
                         type_name(a), type_name(b)));
}

}  // namespace lathe::chat
