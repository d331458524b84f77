// Statements. Expressions are in evaluate.cpp, attributes and items in lookup.cpp.
#include "lathe/text/chat/machine.h"

#include <fmt/core.h>

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/machine_guards.h"

namespace lathe::chat {

const Value* Scope::find(int symbol) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent)
    for (const auto& [known, value] : scope->variables)
      if (known == symbol) return &value;
  return nullptr;
}

void Scope::set(int symbol, Value value) {
  for (auto& [known, old] : variables)
    if (known == symbol) {
      old = std::move(value);
      return;
    }
  variables.emplace_back(symbol, std::move(value));
}

Machine::~Machine() = default;

void Machine::define(const std::string& name, Value value) {
  if (const int symbol = program_.symbols.find(name); symbol >= 0)
    root_.set(symbol, std::move(value));
}

Machine::Result Machine::run() {
  root_.kept = true;
  execute(program_.body);
  return std::move(result_);
}

Machine::Flow Machine::execute(const Body& body) {
  for (const auto& stmt : body)
    if (const Flow flow = execute(*stmt); flow != Flow::go) return flow;
  return Flow::go;
}

Machine::Flow Machine::execute(const Stmt& stmt) {
  const Depth depth(*this);
  at_ = stmt.at;
  heap_.step();
  switch (stmt.kind) {
    case StmtKind::data:
      print(stmt.value);
      break;
    case StmtKind::output:
      for (const ExprPtr& expr : stmt.exprs) print(evaluate(*expr));
      break;
    case StmtKind::set:
      assign(stmt.target, evaluate(*stmt.exprs[0]));
      break;
    case StmtKind::set_block: {
      Value value = heap_.text(capture(stmt.body));
      if (stmt.exprs[0]) value = evaluate_filter(*stmt.exprs[0], value);
      assign(stmt.target, value);
      break;
    }
    case StmtKind::for_:
      run_for(stmt, iterate(evaluate(*stmt.exprs[0])), 0);
      break;
    case StmtKind::if_:
      return run_if(stmt);
    case StmtKind::with:
      run_with(stmt);
      break;
    case StmtKind::macro:
      scope_->set(stmt.symbol, macro_of(stmt, stmt.name));
      break;
    case StmtKind::call:
      run_call_block(stmt);
      break;
    case StmtKind::filter:
      print(evaluate_filter(*stmt.exprs[0], heap_.text(capture(stmt.body))));
      break;
    case StmtKind::block:
      run_block(stmt);
      break;
    case StmtKind::autoescape: {
      if (truth(evaluate(*stmt.exprs[0])))
        fail(ErrorCode::kUnsupported, "escaping of HTML (autoescape) is not supported");
      const ScopeGuard scope(*this);
      return execute(stmt.body);
    }
    case StmtKind::generation:
      run_generation(stmt);
      break;
    case StmtKind::break_:
      return Flow::break_;
    case StmtKind::continue_:
      return Flow::continue_;
    case StmtKind::refused:
      fail(ErrorCode::kUnsupported, "'{}' is not supported: a chat template stands alone",
           stmt.name);
  }
  return Flow::go;
}

void Machine::print(const Value& value) {
  const auto put = [this](const Text& text) {
    heap_.work(text.size());
    heap_.check_text(out_->size() + text.size());
    out_->append(text);
  };
  if (value.is_text()) return put(value.text());
  heap_.visit(value);
  put(to_text(value));
}

Machine::Flow Machine::run_if(const Stmt& stmt) {
  for (const Branch& branch : stmt.branches)
    if (truth(evaluate(*branch.condition))) return execute(branch.body);
  return execute(stmt.else_body);
}

bool Machine::passes(const LoopState& loop, const Value& item) {
  const Stmt& stmt = *loop.stmt;
  const ScopeGuard scope(*this, loop.scope);
  scope_->set(stmt.symbol, heap_.undefined("'loop' is undefined in the condition of a for loop"));
  assign(stmt.target, item);
  return truth(evaluate(*stmt.exprs[1]));
}

bool Machine::has_item(LoopState& loop, std::size_t index) {
  while (loop.items.size() <= index && loop.next_waiting < loop.waiting.size()) {
    const Value item = loop.waiting[loop.next_waiting++];
    if (passes(loop, item)) loop.items.push_back(item);
  }
  return index < loop.items.size();
}

void Machine::run_for(const Stmt& stmt, std::vector<Value> items, int depth) {
  const LoopGuard guard(*this);
  LoopState& loop = guard.loop();
  (stmt.exprs[1] ? loop.waiting : loop.items) = std::move(items);
  loop.depth = depth;
  loop.stmt = &stmt;
  loop.scope = scope_;
  for (loop.index = 0; has_item(loop, loop.index); ++loop.index) {
    heap_.step();
    const ScopeGuard scope(*this);
    scope_->set(stmt.symbol, Value::of(loop));
    assign(stmt.target, loop.items[loop.index]);
    if (execute(stmt.body) == Flow::break_) break;
  }
  if (!loop.items.empty()) return;
  const ScopeGuard scope(*this);
  execute(stmt.else_body);
}

Value Machine::call_loop(LoopState& loop, Arguments arguments) {
  const Bound bound(arguments, {"iterable"}, 1);
  if (loop.stmt == nullptr || !loop.stmt->recursive)
    type_error("The loop must have the 'recursive' marker to be called recursively.");
  const Depth depth(*this);
  Text text;
  const OutputGuard output(out_, text);
  const ScopeGuard scope(*this, loop.scope);
  run_for(*loop.stmt, iterate(*bound.get(0)), loop.depth + 1);
  return heap_.text(std::move(text));
}

void Machine::run_with(const Stmt& stmt) {
  std::vector<Value> values = evaluate_all(stmt.exprs);
  const ScopeGuard scope(*this);
  for (std::size_t i = 0; i < values.size(); ++i) assign(stmt.targets[i], values[i]);
  execute(stmt.body);
}

void Machine::run_call_block(const Stmt& stmt) {
  const Expr& call_expr = *stmt.exprs[0];
  const Value callee = evaluate(*call_expr.items[0]);
  Arguments arguments = evaluate_arguments(call_expr);
  arguments.named.emplace_back("caller", macro_of(stmt, "caller"));
  at_ = call_expr.at;
  print(call(callee, std::move(arguments)));
}

void Machine::run_generation(const Stmt& stmt) {
  const std::size_t begin = result_.text.size();
  const ScopeGuard scope(*this);
  const Text text = capture(stmt.body);
  result_.generated.emplace_back(begin, begin + text.size());
  heap_.check_text(out_->size() + text.size());
  out_->append(text);
}

void Machine::run_block(const Stmt& stmt) {
  const ScopeGuard scope(*this, stmt.scoped ? scope_ : &root_);
  execute(stmt.body);
}

Text Machine::capture(const Body& body) {
  Text text;
  const OutputGuard output(out_, text);
  const ScopeGuard scope(*this);
  execute(body);
  return text;
}

void Machine::assign(const Target& target, const Value& value) {
  if (target.is_tuple) {
    const std::vector<Value> items = iterate(value);
    at_ = target.at;
    if (items.size() != target.parts.size())
      fail(ErrorCode::kInvalidArgument, "expected {} values to unpack, got {}", target.parts.size(),
           items.size());
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
    return;
  }
  if (target.attribute.empty()) return scope_->set(target.symbol, value);
  at_ = target.at;
  const Value holder = lookup(target.symbol, target.name);
  if (!holder.is(Kind::name_space)) type_error("cannot assign attribute on non-namespace object");
  if (target.attribute[0] == '_')
    type_error("an attribute of a namespace cannot begin with an underscore");
  auto& attributes = holder.name_space().attributes;
  for (auto& [name, old] : attributes)
    if (name == target.attribute) {
      old = value;
      return;
    }
  heap_.keep(sizeof(attributes[0]) + target.attribute.size());
  attributes.emplace_back(target.attribute, value);
}

Namespace& Machine::make_namespace() {
  heap_.keep(sizeof(Namespace));
  return namespaces_.emplace_back();
}

Value Machine::macro_of(const Stmt& stmt, const std::string& name) {
  for (Scope* scope = scope_; scope != nullptr && !scope->kept; scope = scope->parent) {
    heap_.keep(sizeof(Scope) + 64);
    kept_scopes_.push_back(scope->shared_from_this());
    scope->kept = true;
  }
  heap_.keep(sizeof(Macro));
  macros_.push_back({&stmt, name, scope_});
  return Value::of(macros_.back());
}

Value Machine::call_macro(const Macro& macro, Arguments arguments) {
  if (calls_ >= heap_.limits().calls)
    fail(ErrorCode::kInvalidArgument, "more than {} macro calls inside each other",
         heap_.limits().calls);
  const Where from = at_;
  const CountGuard count(calls_);
  Text text;
  {
    const ScopeGuard scope(*this, macro.scope);
    const OutputGuard output(out_, text);
    bind(macro, arguments);
    execute(macro.stmt->body);
  }
  at_ = from;
  return heap_.text(std::move(text));
}

void Machine::bind(const Macro& macro, Arguments& arguments) {
  const Stmt& stmt = *macro.stmt;
  auto& named = arguments.named;
  const auto take = [&](const std::string& name) -> std::optional<Value> {
    const auto at = std::find_if(named.begin(), named.end(),
                                 [&](const auto& argument) { return argument.first == name; });
    if (at == named.end()) return std::nullopt;
    Value value = std::move(at->second);
    named.erase(at);
    return value;
  };
  const auto& parameters = stmt.parameters;
  bool found_caller = false;
  std::vector<const Parameter*> missing;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::optional<Value> value;
    if (i < arguments.positional.size())
      value = arguments.positional[i];
    else
      value = take(parameters[i].name);
    found_caller |= parameters[i].name == "caller";
    if (value)
      scope_->set(parameters[i].symbol, std::move(*value));
    else
      missing.push_back(&parameters[i]);
  }
  const auto define = [&](const std::string& name, Value value) {
    if (const int symbol = program_.symbols.find(name); symbol >= 0)
      scope_->set(symbol, std::move(value));
  };
  if (stmt.uses_caller && !found_caller)
    define("caller", take("caller").value_or(heap_.undefined("No caller defined")));
  if (!named.empty() && !stmt.uses_kwargs)
    type_error(
        fmt::format("macro '{}' takes no keyword argument '{}'", macro.name, named.front().first));
  if (arguments.positional.size() > parameters.size() && !stmt.uses_varargs)
    type_error(fmt::format("macro '{}' takes not more than {} argument(s)", macro.name,
                           parameters.size()));
  if (stmt.uses_kwargs) {
    std::vector<std::pair<Value, Value>> rest;
    for (auto& [name, value] : named) rest.emplace_back(heap_.text(name), std::move(value));
    define("kwargs", heap_.dict(std::move(rest)));
  }
  if (stmt.uses_varargs) {
    const auto from = std::min(parameters.size(), arguments.positional.size());
    define("varargs", heap_.tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(from),
                                   arguments.positional.end()}));
  }
  for (const Parameter* parameter : missing)
    scope_->set(parameter->symbol, parameter->default_value
                                       ? evaluate(*parameter->default_value)
                                       : heap_.undefined(fmt::format(
                                             "parameter '{}' was not provided", parameter->name)));
}

}  // namespace lathe::chat
