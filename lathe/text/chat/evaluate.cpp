// Expressions. Statements are in machine.cpp.
#include <fmt/core.h>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/html.h"
#include "lathe/text/chat/machine.h"
#include "lathe/text/chat/machine_guards.h"

namespace lathe::chat {
namespace {

std::string_view name_of(Op op) {
  switch (op) {
    case Op::less:
      return "<";
    case Op::less_equal:
      return "<=";
    case Op::greater:
      return ">";
    default:
      return ">=";
  }
}

bool is_nan(const Value& value) { return value.is(Kind::real) && value.real() != value.real(); }

}  // namespace

Value Machine::evaluate(const Expr& expr) {
  const Depth depth(*this);
  heap_.step();
  return evaluate_kind(expr);
}

Value Machine::evaluate_kind(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::constant:
      return expr.value;
    case ExprKind::name:
      return evaluate_name(expr);
    case ExprKind::list:
      return heap_.list(evaluate_all(expr.items));
    case ExprKind::tuple:
      return heap_.tuple(evaluate_all(expr.items));
    case ExprKind::dict: {
      const std::vector<Value> all = evaluate_all(expr.items);
      std::vector<std::pair<Value, Value>> items;
      for (std::size_t i = 0; i < all.size(); i += 2) items.emplace_back(all[i], all[i + 1]);
      at_ = expr.at;
      return heap_.dict(std::move(items));
    }
    case ExprKind::attribute: {
      const Value value = evaluate(*expr.items[0]);
      at_ = expr.at;
      return get_attribute(value, expr.name);
    }
    case ExprKind::subscript:
      return evaluate_subscript(expr);
    case ExprKind::slice:
      fail(ErrorCode::kUnsupported, "a slice among several subscripts is not supported");
    case ExprKind::call: {
      const Value callee = evaluate(*expr.items[0]);
      Arguments arguments = evaluate_arguments(expr);
      at_ = expr.at;
      return call(callee, std::move(arguments));
    }
    case ExprKind::filter:
      return evaluate_filter(expr, Value());
    case ExprKind::test: {
      const Value operand = evaluate(*expr.items[0]);
      Arguments arguments = evaluate_arguments(expr);
      at_ = expr.at;
      return Value::of(call_test(expr.name, operand, arguments));
    }
    case ExprKind::not_:
      return Value::of(!truth(evaluate(*expr.items[0])));
    case ExprKind::negate:
    case ExprKind::plus:
      return evaluate_sign(expr);
    case ExprKind::and_: {
      Value left = evaluate(*expr.items[0]);
      return truth(left) ? evaluate(*expr.items[1]) : left;
    }
    case ExprKind::or_: {
      Value left = evaluate(*expr.items[0]);
      return truth(left) ? left : evaluate(*expr.items[1]);
    }
    case ExprKind::choose:
      return evaluate_choice(expr);
    case ExprKind::compare:
      return evaluate_compare(expr);
    case ExprKind::arithmetic: {
      const Value left = evaluate(*expr.items[0]), right = evaluate(*expr.items[1]);
      at_ = expr.at;
      return arithmetic(expr.op, left, right);
    }
    case ExprKind::concatenate:
      return evaluate_concatenation(expr);
  }
  return Value();
}

Value Machine::lookup(int symbol, const std::string& name) {
  if (const Value* found = scope_->find(symbol)) return *found;
  if (const Builtin global = find_global(name)) return heap_.function(name, global);
  return heap_.undefined(fmt::format("'{}' is undefined", name));
}

Value Machine::evaluate_name(const Expr& expr) { return lookup(expr.symbol, expr.name); }

std::vector<Value> Machine::evaluate_all(const std::vector<ExprPtr>& exprs) {
  std::vector<Value> values;
  values.reserve(exprs.size());
  for (const ExprPtr& expr : exprs) values.push_back(evaluate(*expr));
  return values;
}

Arguments Machine::evaluate_arguments(const Expr& expr) {
  Arguments arguments;
  arguments.positional = evaluate_all(expr.positional);
  for (const auto& [name, value] : expr.named) arguments.named.emplace_back(name, evaluate(*value));
  if (expr.star)
    for (Value& value : iterate(evaluate(*expr.star)))
      arguments.positional.push_back(std::move(value));
  if (expr.double_star) {
    const Value rest = evaluate(*expr.double_star);
    if (!rest.is(Kind::dict)) type_error("the argument after ** must be a mapping");
    for (const auto& [key, value] : rest.as<DictObject>().items)
      arguments.named.emplace_back(need_text(key, "a keyword").bytes(), value);
  }
  return arguments;
}

Value Machine::evaluate_filter(const Expr& expr, const Value& operand) {
  // A chain of filters without an operand of its own starts with what the block made.
  const Expr* inner = expr.items[0].get();
  Value value = operand;
  if (inner != nullptr && inner->kind == ExprKind::filter)
    value = evaluate_filter(*inner, operand);
  else if (inner != nullptr)
    value = evaluate(*inner);
  Arguments arguments = evaluate_arguments(expr);
  at_ = expr.at;
  return call_filter(expr.name, value, arguments);
}

Value Machine::evaluate_choice(const Expr& expr) {
  if (truth(evaluate(*expr.items[0]))) return evaluate(*expr.items[1]);
  if (expr.items[2]) return evaluate(*expr.items[2]);
  return heap_.undefined(fmt::format(
      "the inline if-expression on line {} evaluated to false and no else section was defined.",
      expr.at.line));
}

Value Machine::evaluate_sign(const Expr& expr) {
  const Value value = evaluate(*expr.items[0]);
  at_ = expr.at;
  if (value.is_undefined()) undefined_error(value);
  if (!value.is_number())
    type_error(fmt::format("bad operand type for unary {}: '{}'",
                           expr.kind == ExprKind::negate ? "-" : "+", type_name(value)));
  if (expr.kind == ExprKind::negate) {
    if (value.is(Kind::real)) return Value::of(-value.real());
    return arithmetic(Op::subtract, Value::of(std::int64_t{0}), value);
  }
  return value.is(Kind::real) ? value : Value::of(value.integer());
}

Value Machine::evaluate_concatenation(const Expr& expr) {
  Text all;
  for (const ExprPtr& item : expr.items) {
    const Value value = evaluate(*item);
    heap_.visit(value);
    const Text part = to_text(value);
    heap_.work(part.size());
    heap_.check_text(all.size() + part.size());
    all.append(part);
  }
  return heap_.text(std::move(all));
}

bool Machine::compare_once(Op op, const Value& a, const Value& b) {
  heap_.compare(a, b);
  switch (op) {
    case Op::equal:
      return equal(a, b);
    case Op::not_equal:
      return !equal(a, b);
    case Op::in:
      return contains(b, a);
    case Op::not_in:
      return !contains(b, a);
    default:
      break;
  }
  const int sign = compare(a, b, name_of(op));
  if (is_nan(a) || is_nan(b)) return false;
  switch (op) {
    case Op::less:
      return sign < 0;
    case Op::less_equal:
      return sign <= 0;
    case Op::greater:
      return sign > 0;
    default:
      return sign >= 0;
  }
}

Value Machine::evaluate_compare(const Expr& expr) {
  Value left = evaluate(*expr.items[0]);
  for (std::size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = evaluate(*expr.items[i + 1]);
    at_ = expr.at;
    if (!compare_once(expr.operators[i], left, right)) return Value::of(false);
    left = std::move(right);
  }
  return Value::of(true);
}

Value Machine::call(const Value& callee, Arguments arguments) {
  switch (callee.kind()) {
    case Kind::macro:
      return call_macro(callee.macro(), std::move(arguments));
    case Kind::loop:
      return call_loop(callee.loop(), std::move(arguments));
    case Kind::function: {
      const auto& function = callee.as<FunctionObject>();
      return function.call(*this, function.is_object ? callee : function.self, arguments);
    }
    case Kind::undefined:
      undefined_error(callee);
    default:
      break;
  }
  type_error(fmt::format("'{}' object is not callable", type_name(callee)));
}

Value Machine::call_filter(const std::string& name, const Value& self, Arguments& arguments) {
  const Builtin filter = find_filter(name);
  if (filter == nullptr) fail(ErrorCode::kInvalidArgument, "no filter is named '{}'", name);
  heap_.step();
  return filter(*this, self, arguments);
}

bool Machine::call_test(const std::string& name, const Value& self, Arguments& arguments) {
  const Builtin test = find_test(name);
  if (test == nullptr) fail(ErrorCode::kInvalidArgument, "no test is named '{}'", name);
  heap_.step();
  return truth(test(*this, self, arguments));
}

}  // namespace lathe::chat
