#include <fmt/core.h>

#include <algorithm>
#include <initializer_list>

#include "lathe/base/error.h"
#include "lathe/text/chat/parser.h"
#include "lathe/text/chat/parser_base.h"

namespace lathe::chat {
namespace {

constexpr std::size_t kLongestTemplate = 4 << 20;  // bytes

using Names = std::initializer_list<std::string_view>;

class Parser final : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Program run() {
    Program program;
    program.body = statements({});
    program.symbols = std::move(symbols_);
    return program;
  }

 private:
  using StmtPtr = std::unique_ptr<Stmt>;

  static StmtPtr make_stmt(StmtKind kind, Where at) {
    auto stmt = std::make_unique<Stmt>();
    stmt->kind = kind;
    stmt->at = at;
    return stmt;
  }

  /// Statements up to "{%" and one of the names, which is then the current token; all of the
  /// template where there are none.
  Body statements(Names ends) {
    const Level level(*this);
    Body body;
    while (now().kind != TokenKind::end) {
      const Where at = now().at;
      if (now().kind == TokenKind::data) {
        auto stmt = make_stmt(StmtKind::data, at);
        stmt->value = text_constant(next().text);
        body.push_back(std::move(stmt));
      } else if (now().kind == TokenKind::variable_begin) {
        next();
        auto stmt = make_stmt(StmtKind::output, now().at);
        stmt->exprs.push_back(tuple({}));
        expect(TokenKind::variable_end, "'}}'");
        body.push_back(std::move(stmt));
      } else {
        expect(TokenKind::block_begin, "'{%'");
        for (const std::string_view name : ends)
          if (is_name(name)) return body;
        body.push_back(statement(ends));
        expect(TokenKind::block_end, "'%}'");
      }
    }
    if (ends.size() != 0)
      fail_here(fmt::format("the template ends, expected '{{% {} %}}'", *(ends.end() - 1)));
    return body;
  }

  /// The body of a statement whose tag ends here.
  Body block(Names ends, bool drop_end) {
    skip_op(":");
    expect(TokenKind::block_end, "'%}'");
    Body body = statements(ends);
    if (drop_end) next();
    return body;
  }

  StmtPtr statement(Names ends) {
    using Read = StmtPtr (Parser::*)(Where);
    static constexpr std::pair<std::string_view, Read> kTags[] = {
        {"set", &Parser::set},
        {"for", &Parser::for_},
        {"if", &Parser::if_},
        {"macro", &Parser::macro},
        {"call", &Parser::call_block},
        {"filter", &Parser::filter_block},
        {"with", &Parser::with},
        {"print", &Parser::print},
        {"block", &Parser::named_block},
        {"autoescape", &Parser::autoescape}};
    const Where at = now().at;
    const std::string tag = expect_name();
    for (const auto& [name, read] : kTags)
      if (name == tag) return (this->*read)(at);
    if (tag == "break" || tag == "continue")
      return make_stmt(tag == "break" ? StmtKind::break_ : StmtKind::continue_, at);
    if (tag == "generation") {
      auto stmt = make_stmt(StmtKind::generation, at);
      stmt->body = block({"endgeneration"}, true);
      return stmt;
    }
    if (tag == "include" || tag == "import" || tag == "from" || tag == "extends")
      return refused(at, tag);
    std::string hint;
    for (const std::string_view end : ends)
      hint += fmt::format("{}'{}'", hint.empty() ? "" : " or ", end);
    fail_at(at, fmt::format("unknown tag '{}'{}", tag,
                            hint.empty() ? "" : "; the block around it expects " + hint));
  }

  Target target(bool with_attribute, std::string_view end) {
    Target first = target_part(with_attribute);
    if (!is_op(",")) return first;
    Target all;
    all.at = first.at;
    all.is_tuple = true;
    all.parts.push_back(std::move(first));
    while (skip_op(",")) {
      if (now().kind == TokenKind::block_end || is_op("=") || is_op(")") || is_name(end)) break;
      all.parts.push_back(target_part(with_attribute));
    }
    return all;
  }

  Target target_part(bool with_attribute) {
    const Level level(*this);
    Target part;
    part.at = now().at;
    if (skip_op("(")) {
      part = target(with_attribute, "");
      expect_op(")");
      return part;
    }
    part.name = expect_name();
    static constexpr std::string_view kConstants[] = {"true",  "True", "false",
                                                      "False", "none", "None"};
    if (std::find(std::begin(kConstants), std::end(kConstants), part.name) != std::end(kConstants))
      fail_at(part.at, fmt::format("cannot assign to '{}'", part.name));
    part.symbol = symbols_.add(part.name);
    if (with_attribute && skip_op(".")) part.attribute = expect_name();
    return part;
  }

  StmtPtr set(Where at) {
    auto stmt = make_stmt(StmtKind::set, at);
    stmt->target = target(true, "");
    if (skip_op("=")) {
      stmt->exprs.push_back(tuple({}));
      return stmt;
    }
    stmt->kind = StmtKind::set_block;
    stmt->exprs.push_back(is_op("|") ? filters(nullptr, false) : nullptr);
    stmt->body = block({"endset"}, true);
    return stmt;
  }

  StmtPtr for_(Where at) {
    auto stmt = make_stmt(StmtKind::for_, at);
    stmt->target = target(false, "in");
    if (!skip_name("in")) fail_here(fmt::format("expected 'in', got {}", describe(now())));
    stmt->exprs.push_back(
        tuple({.with_condition = false, .parentheses = false, .end = "recursive"}));
    stmt->exprs.push_back(skip_name("if") ? expression() : nullptr);
    stmt->recursive = skip_name("recursive");
    stmt->symbol = symbols_.add("loop");
    stmt->body = block({"endfor", "else"}, false);
    const bool otherwise = is_name("else");
    next();
    if (otherwise) stmt->else_body = block({"endfor"}, true);
    return stmt;
  }

  StmtPtr if_(Where at) {
    auto stmt = make_stmt(StmtKind::if_, at);
    while (true) {
      Branch branch;
      branch.condition = tuple({.with_condition = false});
      branch.body = block({"elif", "else", "endif"}, false);
      stmt->branches.push_back(std::move(branch));
      const bool again = is_name("elif"), otherwise = is_name("else");
      next();
      if (again) continue;
      if (otherwise) stmt->else_body = block({"endif"}, true);
      return stmt;
    }
  }

  StmtPtr with(Where at) {
    auto stmt = make_stmt(StmtKind::with, at);
    while (now().kind != TokenKind::block_end) {
      if (!stmt->targets.empty()) expect_op(",");
      stmt->targets.push_back(target(false, ""));
      expect_op("=");
      stmt->exprs.push_back(expression());
    }
    stmt->body = block({"endwith"}, true);
    return stmt;
  }

  StmtPtr print(Where at) {
    auto stmt = make_stmt(StmtKind::output, at);
    while (now().kind != TokenKind::block_end) {
      if (!stmt->exprs.empty()) expect_op(",");
      stmt->exprs.push_back(expression());
    }
    return stmt;
  }

  void signature(Stmt& stmt) {
    expect_op("(");
    while (!is_op(")")) {
      if (!stmt.parameters.empty()) expect_op(",");
      Parameter parameter;
      const Where at = now().at;
      parameter.name = target_part(false).name;
      parameter.symbol = symbols_.add(parameter.name);
      if (skip_op("="))
        parameter.default_value = expression();
      else if (!stmt.parameters.empty() && stmt.parameters.back().default_value)
        fail_at(at, "a parameter without a default follows one with a default");
      stmt.parameters.push_back(std::move(parameter));
    }
    expect_op(")");
  }

  /// The body of what is called like a macro; notes which of the special names it uses.
  void macro_body(Stmt& stmt, std::string_view end) {
    const bool caller = std::exchange(saw_caller_, false);
    const bool varargs = std::exchange(saw_varargs_, false);
    const bool kwargs = std::exchange(saw_kwargs_, false);
    stmt.body = block({end}, true);
    stmt.uses_caller = saw_caller_;
    stmt.uses_varargs = saw_varargs_;
    stmt.uses_kwargs = saw_kwargs_;
    saw_caller_ |= caller;
    saw_varargs_ |= varargs;
    saw_kwargs_ |= kwargs;
  }

  StmtPtr macro(Where at) {
    auto stmt = make_stmt(StmtKind::macro, at);
    stmt->name = target_part(false).name;
    stmt->symbol = symbols_.add(stmt->name);
    signature(*stmt);
    macro_body(*stmt, "endmacro");
    return stmt;
  }

  StmtPtr call_block(Where at) {
    auto stmt = make_stmt(StmtKind::call, at);
    if (is_op("(")) signature(*stmt);
    stmt->exprs.push_back(expression());
    if (stmt->exprs[0]->kind != ExprKind::call) fail_at(at, "expected a call in '{% call %}'");
    macro_body(*stmt, "endcall");
    return stmt;
  }

  StmtPtr filter_block(Where at) {
    auto stmt = make_stmt(StmtKind::filter, at);
    stmt->exprs.push_back(filters(nullptr, true));
    stmt->body = block({"endfilter"}, true);
    return stmt;
  }

  StmtPtr named_block(Where at) {
    auto stmt = make_stmt(StmtKind::block, at);
    stmt->name = expect_name();
    stmt->scoped = skip_name("scoped");
    skip_name("required");
    stmt->body = block({"endblock"}, true);
    skip_name(stmt->name);
    return stmt;
  }

  StmtPtr autoescape(Where at) {
    auto stmt = make_stmt(StmtKind::autoescape, at);
    stmt->exprs.push_back(expression());
    stmt->body = block({"endautoescape"}, true);
    return stmt;
  }

  /// Tags that load other templates parse, and fail when they are reached: there are none.
  StmtPtr refused(Where at, const std::string& tag) {
    auto stmt = make_stmt(StmtKind::refused, at);
    stmt->name = tag;
    while (now().kind != TokenKind::block_end) {
      if (now().kind == TokenKind::end) fail_here("the template ends inside a tag");
      next();
    }
    return stmt;
  }
};

}  // namespace

Program parse_program(std::string_view source, Heap& heap) {
  if (source.size() > kLongestTemplate)
    fail(ErrorCode::kInvalidArgument, "1:1: expected a template of at most {} bytes, got {}",
         kLongestTemplate, source.size());
  return Parser(read_tokens(source), heap).run();
}

}  // namespace lathe::chat
