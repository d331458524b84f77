// Runs a parsed template.
#pragma once

#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/text/chat/ast.h"
#include "lathe/text/chat/heap.h"
#include "lathe/text/chat/parser.h"

namespace lathe::chat {

/// Variables of one block. Lives as long as a macro that sees it.
struct Scope : std::enable_shared_from_this<Scope> {
  Scope* parent = nullptr;
  bool kept = false;  // a macro was defined in it or inside: it lives until the end
  std::vector<std::pair<int, Value>> variables;

  const Value* find(int symbol) const;
  void set(int symbol, Value value);
};

struct Macro {
  const Stmt* stmt = nullptr;
  std::string name;
  Scope* scope = nullptr;  // around the definition
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

/// The variable `loop`.
struct LoopState {
  std::vector<Value> items;    // that are known so far
  std::vector<Value> waiting;  // what the condition of the loop has not judged yet
  std::size_t next_waiting = 0;
  std::size_t index = 0;
  int depth = 0;
  const Stmt* stmt = nullptr;
  Scope* scope = nullptr;      // around it
  std::vector<Value> changed;  // what changed() was last asked
  bool was_asked = false;
};

class Machine {
 public:
  Machine(const Program& program, Heap& heap, std::time_t now)
      : program_(program), heap_(heap), now_(now) {}
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// A variable that the template may use.
  void define(const std::string& name, Value value);

  struct Result {
    Text text;
    std::vector<std::pair<std::size_t, std::size_t>> generated;  // bytes of generation blocks
  };
  Result run();

  /// Where in the template the machine is, for messages.
  Where where() const { return at_; }

  // For builtins.
  Heap& heap() { return heap_; }
  std::time_t now() const { return now_; }
  Value call(const Value& callee, Arguments arguments);
  Value call_filter(const std::string& name, const Value& self, Arguments& arguments);
  bool call_test(const std::string& name, const Value& self, Arguments& arguments);
  /// The items that a for loop over the value visits; throws for what cannot be iterated.
  std::vector<Value> iterate(const Value& value);
  /// value.name and value[key] as Jinja looks them up.
  Value get_attribute(const Value& value, std::string_view name);
  Value get_item(const Value& value, const Value& key);
  Value arithmetic(Op op, const Value& a, const Value& b);
  bool contains(const Value& container, const Value& item);
  Namespace& make_namespace();
  /// Whether the loop has an item of this index. Conditions of loops are asked as late as that.
  bool has_item(LoopState& loop, std::size_t index);

 private:
  enum class Flow { go, break_, continue_ };
  class ScopeGuard;
  class LoopGuard;
  class Depth;

  Flow execute(const Body& body);
  Flow execute(const Stmt& stmt);
  void print(const Value& value);
  Flow run_if(const Stmt& stmt);
  void run_for(const Stmt& stmt, std::vector<Value> items, int depth);
  bool passes(const LoopState& loop, const Value& item);
  void run_with(const Stmt& stmt);
  void run_call_block(const Stmt& stmt);
  void run_generation(const Stmt& stmt);
  void run_block(const Stmt& stmt);
  Text capture(const Body& body);
  void assign(const Target& target, const Value& value);
  Value macro_of(const Stmt& stmt, const std::string& name);
  Value call_macro(const Macro& macro, Arguments arguments);
  void bind(const Macro& macro, Arguments& arguments);
  Value call_loop(LoopState& loop, Arguments arguments);

  Value evaluate(const Expr& expr);
  Value evaluate_kind(const Expr& expr);
  Value evaluate_name(const Expr& expr);
  Value evaluate_subscript(const Expr& expr);
  Value slice(const Value& value, const Expr& slice);
  Value evaluate_compare(const Expr& expr);
  bool compare_once(Op op, const Value& a, const Value& b);
  Value evaluate_sign(const Expr& expr);
  Value evaluate_concatenation(const Expr& expr);
  Value evaluate_filter(const Expr& expr, const Value& operand);
  Value evaluate_choice(const Expr& expr);
  std::vector<Value> evaluate_all(const std::vector<ExprPtr>& exprs);
  Arguments evaluate_arguments(const Expr& expr);
  Value lookup(int symbol, const std::string& name);

  const Program& program_;
  Heap& heap_;
  const std::time_t now_;
  Where at_;
  int depth_ = 0, calls_ = 0;
  Scope root_;
  Scope* scope_ = &root_;
  Result result_;
  Text* out_ = &result_.text;
  std::vector<std::shared_ptr<Scope>> kept_scopes_;
  std::deque<Macro> macros_;
  std::deque<Namespace> namespaces_;
  std::deque<LoopState> loops_;  // as many as ran inside each other
  std::vector<LoopState*> free_loops_;
};

}  // namespace lathe::chat
