// A parsed template. The parser makes it, the Machine runs it; nothing changes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lathe/text/chat/value.h"

namespace lathe::chat {

/// A place in a template, from 1.
struct Where {
  std::uint32_t line = 1, column = 1;
};

enum class ExprKind : std::uint8_t {
  constant,     // value
  name,         // symbol, name
  list,         // items
  tuple,        // items
  dict,         // items: key, value, key, value, ...
  attribute,    // items[0].name
  subscript,    // items[0][items[1]]
  slice,        // items: start, stop, step; null where left out. Only inside a subscript
  call,         // items[0](arguments)
  filter,       // items[0] | name(arguments); items[0] is null at the head of a filter block
  test,         // items[0] is name(arguments)
  not_,         // items[0]
  negate,       // items[0]
  plus,         // items[0]
  and_,         // items[0], items[1]
  or_,          // items[0], items[1]
  choose,       // items[1] if items[0] else items[2], which may be null
  compare,      // items[0] operators[0] items[1] operators[1] items[2] ...
  arithmetic,   // items[0] op items[1]
  concatenate,  // items joined by ~
};

enum class Op : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind = ExprKind::constant;
  Op op = Op::add;
  Where at;
  int depth = 1;  // 1 + that of the deepest operand
  int symbol = -1;
  std::string name;
  Value value;
  std::vector<ExprPtr> items;
  std::vector<Op> operators;
  // Arguments of a call, a filter or a test.
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, double_star;  // *star, **double_star
};

enum class StmtKind : std::uint8_t {
  output,      // exprs, printed one after another
  data,        // value: the text between tags
  set,         // target = exprs[0]
  set_block,   // target = body, through exprs[0] (filters) if there
  for_,        // target in exprs[0] if exprs[1]: body, else_body
  if_,         // branches, else_body
  with,        // targets = exprs: body
  macro,       // symbol, name, parameters, body
  call,        // exprs[0] is a call; parameters, body
  filter,      // exprs[0] (filters): body
  block,       // name: body
  autoescape,  // exprs[0]: body
  generation,  // body
  break_,
  continue_,
  refused,  // name: include, import, from, extends
};

/// What is assigned to: a name, an attribute of a namespace, or several of these.
struct Target {
  Where at;
  int symbol = -1;              // the name, or the namespace
  std::string name, attribute;  // attribute is empty for a plain name
  std::vector<Target> parts;    // a tuple; then the rest is unused
  bool is_tuple = false;
};

struct Parameter {
  int symbol = -1;
  std::string name;
  ExprPtr default_value;  // null: none
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

struct Branch {
  ExprPtr condition;
  Body body;
};

struct Stmt {
  StmtKind kind = StmtKind::output;
  Where at;
  int symbol = -1;
  std::string name;
  Value value;
  Target target;
  std::vector<ExprPtr> exprs;
  std::vector<Target> targets;
  std::vector<Branch> branches;
  Body body, else_body;
  std::vector<Parameter> parameters;
  bool recursive = false;  // a loop that calls itself
  bool scoped = false;     // a block that sees the variables around it
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;  // the body of a macro does
};

/// Names of variables as numbers.
class Symbols {
 public:
  int add(const std::string& name) {
    const auto [at, fresh] = numbers_.emplace(name, static_cast<int>(numbers_.size()));
    return at->second;
  }
  /// -1 where the template does not have the name.
  int find(const std::string& name) const {
    const auto at = numbers_.find(name);
    return at == numbers_.end() ? -1 : at->second;
  }

 private:
  std::unordered_map<std::string, int> numbers_;
};

}  // namespace lathe::chat
