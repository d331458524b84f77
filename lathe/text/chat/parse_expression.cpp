#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "lathe/text/chat/parser_base.h"

namespace lathe::chat {
namespace {

constexpr int kDeepestTree = 400;  // a chain of operators is as deep as it is long

struct OpName {
  std::string_view text;
  Op op;
};

std::optional<Op> find_op(const Token& token, std::initializer_list<OpName> ops) {
  if (token.kind != TokenKind::op) return std::nullopt;
  for (const OpName& op : ops)
    if (op.text == token.text) return op.op;
  return std::nullopt;
}

}  // namespace

Token ExpressionParser::next() {
  Token token = std::move(tokens_[at_]);
  tokens_[at_].kind = token.kind;
  tokens_[at_].at = token.at;
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool ExpressionParser::skip_op(std::string_view op) {
  if (!is_op(op)) return false;
  next();
  return true;
}

bool ExpressionParser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  next();
  return true;
}

void ExpressionParser::expect_op(std::string_view op) {
  if (!skip_op(op)) fail_here(fmt::format("expected '{}', got {}", op, describe(now())));
}

void ExpressionParser::expect(TokenKind kind, std::string_view what) {
  if (now().kind != kind) fail_here(fmt::format("expected {}, got {}", what, describe(now())));
  next();
}

std::string ExpressionParser::expect_name() {
  if (now().kind != TokenKind::name)
    fail_here(fmt::format("expected a name, got {}", describe(now())));
  return next().text;
}

ExprPtr ExpressionParser::make(ExprKind kind, Where at) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->at = at;
  return expr;
}

void ExpressionParser::adopt(Expr& parent, std::vector<ExprPtr>& into, ExprPtr child) const {
  if (child) parent.depth = std::max(parent.depth, child->depth + 1);
  if (parent.depth > kDeepestTree) fail_at(parent.at, "the expression is too long or too deep");
  into.push_back(std::move(child));
}

ExprPtr ExpressionParser::unary(ExprKind kind, Where at, ExprPtr a) const {
  ExprPtr expr = make(kind, at);
  adopt(*expr, expr->items, std::move(a));
  return expr;
}

ExprPtr ExpressionParser::binary(ExprKind kind, Where at, ExprPtr a, ExprPtr b) const {
  ExprPtr expr = unary(kind, at, std::move(a));
  adopt(*expr, expr->items, std::move(b));
  return expr;
}

ExprPtr ExpressionParser::expression(bool with_condition) {
  const Level level(*this);
  ExprPtr left = or_expression();
  while (with_condition && is_name("if")) {
    const Where at = next().at;
    ExprPtr condition = or_expression();
    ExprPtr otherwise = skip_name("else") ? expression() : nullptr;
    left = binary(ExprKind::choose, at, std::move(condition), std::move(left));
    adopt(*left, left->items, std::move(otherwise));
  }
  return left;
}

ExprPtr ExpressionParser::or_expression() {
  ExprPtr left = and_expression();
  while (is_name("or")) {
    const Where at = next().at;
    left = binary(ExprKind::or_, at, std::move(left), and_expression());
  }
  return left;
}

ExprPtr ExpressionParser::and_expression() {
  ExprPtr left = not_expression();
  while (is_name("and")) {
    const Where at = next().at;
    left = binary(ExprKind::and_, at, std::move(left), not_expression());
  }
  return left;
}

ExprPtr ExpressionParser::not_expression() {
  const Level level(*this);
  if (!is_name("not")) return comparison();
  const Where at = next().at;
  return unary(ExprKind::not_, at, not_expression());
}

ExprPtr ExpressionParser::comparison() {
  ExprPtr left = sum();
  ExprPtr compare;
  while (true) {
    const Where at = now().at;
    Op op = Op::in;
    if (const auto found = find_op(now(), {{"==", Op::equal},
                                           {"!=", Op::not_equal},
                                           {"<", Op::less},
                                           {"<=", Op::less_equal},
                                           {">", Op::greater},
                                           {">=", Op::greater_equal}}))
      op = *found;
    else if (is_name("not") && after().kind == TokenKind::name && after().text == "in")
      op = Op::not_in, next();
    else if (!is_name("in"))
      break;
    next();
    if (!compare) compare = unary(ExprKind::compare, at, std::move(left));
    compare->operators.push_back(op);
    adopt(*compare, compare->items, sum());
  }
  return compare ? std::move(compare) : std::move(left);
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  while (const auto op = find_op(now(), {{"+", Op::add}, {"-", Op::subtract}})) {
    const Where at = next().at;
    left = binary(ExprKind::arithmetic, at, std::move(left), concatenation());
    left->op = *op;
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  ExprPtr left = product();
  if (!is_op("~")) return left;
  ExprPtr all = unary(ExprKind::concatenate, now().at, std::move(left));
  while (skip_op("~")) adopt(*all, all->items, product());
  return all;
}

ExprPtr ExpressionParser::product() {
  ExprPtr left = power();
  while (
      const auto op = find_op(
          now(),
          {{"*", Op::multiply}, {"/", Op::divide}, {"//", Op::floor_divide}, {"%", Op::modulo}})) {
    const Where at = next().at;
    left = binary(ExprKind::arithmetic, at, std::move(left), power());
    left->op = *op;
  }
  return left;
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary_expression(true);
  while (is_op("**")) {
    const Where at = next().at;
    left = binary(ExprKind::arithmetic, at, std::move(left), unary_expression(true));
    left->op = Op::power;
  }
  return left;
}

ExprPtr ExpressionParser::unary_expression(bool with_filters) {
  const Level level(*this);
  ExprPtr operand;
  if (is_op("-") || is_op("+")) {
    const ExprKind kind = is_op("-") ? ExprKind::negate : ExprKind::plus;
    const Where at = next().at;
    operand = unary(kind, at, unary_expression(false));
  } else {
    operand = primary();
  }
  operand = postfix(std::move(operand));
  while (with_filters) {
    if (is_op("|"))
      operand = filters(std::move(operand), false);
    else if (is_name("is"))
      operand = test(std::move(operand));
    else if (is_op("("))
      operand = call(std::move(operand));
    else
      break;
  }
  return operand;
}

ExprPtr ExpressionParser::name() {
  const Token token = next();
  ExprPtr expr = make(ExprKind::constant, token.at);
  const std::string& text = token.text;
  if (text == "true" || text == "True") {
    expr->value = Value::of(true);
  } else if (text == "false" || text == "False") {
    expr->value = Value::of(false);
  } else if (text == "none" || text == "None") {
    expr->value = Value::none();
  } else {
    expr->kind = ExprKind::name;
    expr->name = text;
    expr->symbol = symbols_.add(text);
    saw_caller_ |= text == "caller";
    saw_varargs_ |= text == "varargs";
    saw_kwargs_ |= text == "kwargs";
  }
  return expr;
}

ExprPtr ExpressionParser::literal_string() {
  ExprPtr expr = make(ExprKind::constant, now().at);
  std::string text;
  while (now().kind == TokenKind::string) text += next().text;
  expr->value = heap_.text(text);
  return expr;
}

ExprPtr ExpressionParser::primary() {
  switch (now().kind) {
    case TokenKind::name:
      return name();
    case TokenKind::string:
      return literal_string();
    case TokenKind::integer:
    case TokenKind::real: {
      const Token token = next();
      ExprPtr expr = make(ExprKind::constant, token.at);
      expr->value =
          token.kind == TokenKind::real ? Value::of(token.real) : Value::of(token.integer);
      return expr;
    }
    default:
      break;
  }
  if (skip_op("(")) {
    ExprPtr inside = tuple({.with_condition = true, .parentheses = true});
    expect_op(")");
    return inside;
  }
  if (is_op("[")) return list();
  if (is_op("{")) return dict();
  fail_here(fmt::format("expected an expression, got {}", describe(now())));
}

ExprPtr ExpressionParser::tuple(TupleRules rules) {
  ExprPtr all = make(ExprKind::tuple, now().at);
  bool is_tuple = false;
  while (true) {
    if (!all->items.empty()) expect_op(",");
    if (now().kind == TokenKind::variable_end || now().kind == TokenKind::block_end || is_op(")") ||
        (!rules.end.empty() && is_name(rules.end)))
      break;
    adopt(*all, all->items, expression(rules.with_condition));
    if (!is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !all->items.empty()) return std::move(all->items[0]);
  if (!is_tuple && !rules.parentheses)
    fail_here(fmt::format("expected an expression, got {}", describe(now())));
  return all;
}

ExprPtr ExpressionParser::list() {
  ExprPtr all = make(ExprKind::list, next().at);
  while (!is_op("]")) {
    if (!all->items.empty()) expect_op(",");
    if (is_op("]")) break;
    adopt(*all, all->items, expression());
  }
  expect_op("]");
  return all;
}

ExprPtr ExpressionParser::dict() {
  ExprPtr all = make(ExprKind::dict, next().at);
  while (!is_op("}")) {
    if (!all->items.empty()) expect_op(",");
    if (is_op("}")) break;
    adopt(*all, all->items, expression());
    expect_op(":");
    adopt(*all, all->items, expression());
  }
  expect_op("}");
  return all;
}

ExprPtr ExpressionParser::postfix(ExprPtr operand) {
  while (true) {
    if (is_op(".") || is_op("["))
      operand = subscript(std::move(operand));
    else if (is_op("("))
      operand = call(std::move(operand));
    else
      return operand;
  }
}

ExprPtr ExpressionParser::subscript(ExprPtr operand) {
  const Token token = next();
  if (token.text == ".") {
    if (now().kind == TokenKind::name) {
      ExprPtr expr = unary(ExprKind::attribute, token.at, std::move(operand));
      expr->name = next().text;
      return expr;
    }
    if (now().kind != TokenKind::integer)
      fail_here(fmt::format("expected a name or a number, got {}", describe(now())));
    return binary(ExprKind::subscript, token.at, std::move(operand), primary());
  }
  ExprPtr several = make(ExprKind::tuple, token.at);
  while (!is_op("]")) {
    if (!several->items.empty()) expect_op(",");
    adopt(*several, several->items, subscript_item());
  }
  expect_op("]");
  ExprPtr index = several->items.size() == 1 ? std::move(several->items[0]) : std::move(several);
  return binary(ExprKind::subscript, token.at, std::move(operand), std::move(index));
}

ExprPtr ExpressionParser::subscript_item() {
  const Where at = now().at;
  ExprPtr first = is_op(":") ? nullptr : expression();
  if (!is_op(":")) return first;
  ExprPtr slice = unary(ExprKind::slice, at, std::move(first));
  for (int part = 0; part < 2; ++part) {
    const bool given = skip_op(":");
    const bool is_empty = !given || is_op(":") || is_op("]") || is_op(",");
    adopt(*slice, slice->items, is_empty ? nullptr : expression());
  }
  return slice;
}

void ExpressionParser::arguments(Expr& call) {
  const Where at = now().at;
  const auto ensure = [&](bool condition) {
    if (!condition) fail_at(at, "the arguments are not in order");
  };
  const auto take = [&](ExprPtr value) {
    std::vector<ExprPtr> one;
    adopt(call, one, std::move(value));
    return std::move(one[0]);
  };
  expect_op("(");
  for (bool first = true; !is_op(")"); first = false) {
    if (!first) expect_op(",");
    if (is_op(")")) break;
    if (skip_op("*")) {
      ensure(!call.star && !call.double_star);
      call.star = take(expression());
    } else if (skip_op("**")) {
      ensure(!call.double_star);
      call.double_star = take(expression());
    } else if (now().kind == TokenKind::name && after().kind == TokenKind::op &&
               after().text == "=") {
      ensure(!call.double_star);
      std::string key = next().text;
      next();
      call.named.emplace_back(std::move(key), take(expression()));
    } else {
      ensure(!call.star && !call.double_star && call.named.empty());
      call.positional.push_back(take(expression()));
    }
  }
  expect_op(")");
}

ExprPtr ExpressionParser::call(ExprPtr callee) {
  ExprPtr expr = unary(ExprKind::call, now().at, std::move(callee));
  arguments(*expr);
  return expr;
}

std::string ExpressionParser::dotted_name() {
  std::string name = expect_name();
  while (skip_op(".")) name += "." + expect_name();
  return name;
}

ExprPtr ExpressionParser::filter(ExprPtr operand) {
  ExprPtr expr = unary(ExprKind::filter, now().at, std::move(operand));
  expr->name = dotted_name();
  if (is_op("(")) arguments(*expr);
  return expr;
}

ExprPtr ExpressionParser::filters(ExprPtr operand, bool starts_with_name) {
  if (starts_with_name) operand = filter(std::move(operand));
  while (skip_op("|")) operand = filter(std::move(operand));
  return operand;
}

ExprPtr ExpressionParser::test(ExprPtr operand) {
  const Where at = next().at;
  const bool negated = skip_name("not");
  ExprPtr expr = unary(ExprKind::test, at, std::move(operand));
  expr->name = dotted_name();
  const TokenKind kind = now().kind;
  const bool begins_argument =
      kind == TokenKind::string || kind == TokenKind::integer || kind == TokenKind::real ||
      is_op("[") || is_op("{") ||
      (kind == TokenKind::name && !is_name("else") && !is_name("or") && !is_name("and"));
  if (is_op("(")) {
    arguments(*expr);
  } else if (begins_argument) {
    if (is_name("is")) fail_here("tests with 'is' cannot be chained");
    adopt(*expr, expr->positional, postfix(primary()));
  }
  return negated ? unary(ExprKind::not_, at, std::move(expr)) : std::move(expr);
}

}  // namespace lathe::chat
