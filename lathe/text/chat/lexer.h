// A template cut into tokens, as Jinja cuts it with trim_blocks and lstrip_blocks.
// Source: jinja2 3.1 (Lexer), the settings of transformers' chat templates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/chat/ast.h"

namespace lathe::chat {

enum class TokenKind : std::uint8_t {
  data,            // text between tags
  variable_begin,  // {{
  variable_end,
  block_begin,  // {%
  block_end,
  name,
  string,
  integer,
  real,
  op,   // text: "+", "(", "==", ...
  end,  // of the template
};

struct Token {
  TokenKind kind = TokenKind::end;
  Where at;
  std::string text;  // of data, names, strings (unescaped) and operators
  std::int64_t integer = 0;
  double real = 0;
};

/// Line ends become \n, one at the end of the template is dropped, comments are left out. The last
/// token is `end`. Throws kInvalidArgument "LINE:COLUMN: what is wrong".
std::vector<Token> read_tokens(std::string_view source);

/// What a message calls the token.
std::string describe(const Token& token);

/// Throws kInvalidArgument "LINE:COLUMN: message".
[[noreturn]] void fail_at(Where at, std::string_view message);

}  // namespace lathe::chat
