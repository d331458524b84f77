// What the two halves of the parser share: the tokens and the depth.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/chat/ast.h"
#include "lathe/text/chat/heap.h"
#include "lathe/text/chat/lexer.h"

namespace lathe::chat {

/// Reads expressions. Source of the grammar: jinja2 3.1 (Parser).
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, Heap& heap)
      : tokens_(std::move(tokens)), heap_(heap) {}

 protected:
  static constexpr int kDeepest = 400;

  /// Counts how deep the grammar is in itself.
  class Level {
   public:
    explicit Level(ExpressionParser& parser) : parser_(parser) {
      if (++parser_.level_ > kDeepest) parser_.fail_here("nested too deep");
    }
    ~Level() { --parser_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ExpressionParser& parser_;
  };

  const Token& now() const { return tokens_[at_]; }
  const Token& after() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next();
  bool is_op(std::string_view op) const { return now().kind == TokenKind::op && now().text == op; }
  bool is_name(std::string_view name) const {
    return now().kind == TokenKind::name && now().text == name;
  }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  void expect(TokenKind kind, std::string_view what);
  std::string expect_name();
  [[noreturn]] void fail_here(std::string_view message) const { fail_at(now().at, message); }

  Value text_constant(std::string_view text) { return heap_.text(text); }
  ExprPtr make(ExprKind kind, Where at) const;
  /// Takes an operand over and counts its depth.
  void adopt(Expr& parent, std::vector<ExprPtr>& into, ExprPtr child) const;
  ExprPtr unary(ExprKind kind, Where at, ExprPtr a) const;
  ExprPtr binary(ExprKind kind, Where at, ExprPtr a, ExprPtr b) const;

  ExprPtr expression(bool with_condition = true);
  struct TupleRules {
    bool with_condition = true;
    bool parentheses = false;   // then nothing at all is a tuple too
    std::string_view end = {};  // a name that ends it
  };
  ExprPtr tuple(TupleRules rules);
  ExprPtr filters(ExprPtr operand, bool starts_with_name);
  void arguments(Expr& call);

  Symbols symbols_;
  bool saw_caller_ = false, saw_varargs_ = false, saw_kwargs_ = false;  // as names

 private:
  ExprPtr or_expression();
  ExprPtr and_expression();
  ExprPtr not_expression();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary_expression(bool with_filters);
  ExprPtr primary();
  ExprPtr name();
  ExprPtr literal_string();
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr operand);
  ExprPtr subscript(ExprPtr operand);
  ExprPtr subscript_item();
  ExprPtr call(ExprPtr callee);
  ExprPtr filter(ExprPtr operand);
  ExprPtr test(ExprPtr operand);
  std::string dotted_name();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int level_ = 0;
  Heap& heap_;
};

}  // namespace lathe::chat
