#include "lathe/text/chat/lexer.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdlib>

#include "lathe/base/error.h"
#include "lathe/text/chat/string_literal.h"
#include "lathe/text/chat/unicode_text.h"

namespace lathe::chat {
namespace {

constexpr std::string_view kOperators[] = {"**", "//", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

std::string with_line_feeds(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r')
      out += source[i];
    else if (i + 1 == source.size() || source[i + 1] != '\n')
      out += '\n';
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_digit_of(char c, int base) {
  if (base == 16) return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
  return c >= '0' && c < '0' + base;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_line_feeds(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    put(TokenKind::end);
    return std::move(tokens_);
  }

 private:
  bool starts(std::string_view what) const {
    return std::string_view(source_).substr(at_).starts_with(what);
  }
  bool starts(std::size_t at, std::string_view what) const {
    return at <= source_.size() && std::string_view(source_).substr(at).starts_with(what);
  }
  std::size_t skip_spaces(std::size_t at) const { return at + leading_spaces(view().substr(at)); }
  std::string_view view() const { return source_; }

  /// Where `at` lies. In linear time altogether: places are asked for in rising order, but for the
  /// last one, of a refusal.
  Where where(std::size_t at) {
    if (at < counted_) counted_ = 0, place_ = {};
    for (; counted_ < at; ++counted_) {
      const char byte = source_[counted_];
      if (byte == '\n')
        ++place_.line, place_.column = 1;
      else
        place_.column += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
    }
    return place_;
  }
  [[noreturn]] void fail_here(std::size_t at, std::string_view message) {
    fail_at(where(at), message);
  }

  Token& put(TokenKind kind) {
    Token token;
    token.kind = kind;
    token.at = where(at_);
    tokens_.push_back(std::move(token));
    return tokens_.back();
  }

  void put_data(std::size_t begin, std::size_t end) {
    if (begin == end) return;
    at_ = begin;
    put(TokenKind::data).text = source_.substr(begin, end - begin);
  }

  /// What of the text before a tag remains: `sign` is the character after "{%".
  std::size_t end_of_data(std::size_t begin, std::size_t end, char sign, bool is_variable) const {
    const std::string_view text = view().substr(begin, end - begin);
    if (sign == '-') return begin + text.size() - trailing_spaces(text);
    if (sign == '+' || is_variable) return end;
    const std::size_t newline = text.rfind('\n');
    const std::size_t line = newline == text.npos ? 0 : newline + 1;
    const bool line_begins = line > 0 || begin == 0 || source_[begin - 1] == '\n';
    return line_begins && leading_spaces(text.substr(line)) == text.size() - line ? begin + line
                                                                                  : end;
  }

  void read_data() {
    const std::size_t begin = at_;
    std::size_t tag = source_.find('{', begin);
    while (tag != source_.npos && !starts(tag, "{{") && !starts(tag, "{%") && !starts(tag, "{#"))
      tag = source_.find('{', tag + 1);
    if (tag == source_.npos) {
      put_data(begin, source_.size());
      at_ = source_.size();
      return;
    }
    const char kind = source_[tag + 1];
    std::size_t inside = tag + 2;
    const char sign = inside < source_.size() ? source_[inside] : 0;
    const bool has_sign = sign == '-' || sign == '+';
    inside += has_sign;
    put_data(begin, end_of_data(begin, tag, has_sign ? sign : 0, kind == '{'));
    at_ = tag;
    if (kind == '#') return skip_comment(inside);
    if (kind == '%' && read_raw(inside)) return;
    put(kind == '{' ? TokenKind::variable_begin : TokenKind::block_begin);
    at_ = inside;
    read_tag(kind == '{');
  }

  /// Past the end of a tag ("%}" or "#}") and what it takes of the text behind it.
  void pass_end(std::size_t at, char sign, bool trim) {
    at_ = at + 2;
    if (sign == '-')
      at_ = skip_spaces(at_);
    else if (sign != '+' && trim && starts("\n"))
      ++at_;
  }

  void skip_comment(std::size_t inside) {
    const std::size_t end = source_.find("#}", inside);
    if (end == source_.npos) fail_here(at_, "expected '#}', the comment does not end");
    pass_end(end, end > inside ? source_[end - 1] : 0, true);
  }

  /// After "{%": false where this is not "raw %}", else everything up to "{% endraw %}" is data.
  bool read_raw(std::size_t inside) {
    std::size_t at = skip_spaces(inside);
    if (!starts(at, "raw")) return false;
    at = skip_spaces(at + 3);
    if (starts(at, "-%}"))
      at = skip_spaces(at + 3);
    else if (starts(at, "%}"))
      at += 2;
    else
      return false;
    for (std::size_t tag = at; (tag = source_.find("{%", tag)) != source_.npos; tag += 2) {
      char sign = tag + 2 < source_.size() ? source_[tag + 2] : 0;
      if (sign != '-' && sign != '+') sign = 0;
      std::size_t end = skip_spaces(tag + 2 + (sign != 0));
      if (!starts(end, "endraw")) continue;
      end = skip_spaces(end + 6);
      const char end_sign = starts(end, "-%}") ? '-' : (starts(end, "+%}") ? '+' : 0);
      end += end_sign != 0;
      if (!starts(end, "%}")) continue;
      put_data(at, end_of_data(at, tag, sign, false));
      pass_end(end, end_sign, true);
      return true;
    }
    fail_here(at_, "expected '{% endraw %}', the raw block does not end");
  }

  bool at_end_of_tag(bool is_variable) {
    const std::string_view close = is_variable ? "}}" : "%}";
    char sign = at_ < source_.size() ? source_[at_] : 0;
    if (sign != '-' && (sign != '+' || is_variable)) sign = 0;
    if (!starts(at_ + (sign != 0), close)) return false;
    put(is_variable ? TokenKind::variable_end : TokenKind::block_end);
    pass_end(at_ + (sign != 0), sign, !is_variable);
    return true;
  }

  void read_tag(bool is_variable) {
    std::string open;  // brackets that wait for their end
    while (at_ < source_.size()) {
      if (open.empty() && at_end_of_tag(is_variable)) return;
      const std::size_t spaces = leading_spaces(view().substr(at_));
      if (spaces != 0) {
        at_ += spaces;
        continue;
      }
      if (is_digit(source_[at_]))
        read_number();
      else if (const std::size_t size = identifier_size(view().substr(at_)); size != 0)
        read_name(size);
      else if (source_[at_] == '"' || source_[at_] == '\'')
        read_string();
      else
        read_operator(open);
    }
  }

  void read_name(std::size_t size) {
    put(TokenKind::name).text = source_.substr(at_, size);
    at_ += size;
  }

  void read_operator(std::string& open) {
    for (const std::string_view op : kOperators) {
      if (!starts(op)) continue;
      if (op == "(") open += ')';
      if (op == "[") open += ']';
      if (op == "{") open += '}';
      if (op == ")" || op == "]" || op == "}") {
        if (open.empty()) fail_here(at_, fmt::format("unexpected '{}'", op));
        if (open.back() != op[0])
          fail_here(at_, fmt::format("unexpected '{}', expected '{}'", op, open.back()));
        open.pop_back();
      }
      put(TokenKind::op).text = op;
      at_ += op.size();
      return;
    }
    fail_here(at_, fmt::format("unexpected character '{}'",
                               view().substr(at_, character_size(view(), at_))));
  }

  void read_string() {
    const char quote = source_[at_];
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_here(at_, "the string does not end");
    Token& token = put(TokenKind::string);
    if (const char* problem = unescape(view().substr(at_ + 1, end - at_ - 1), token.text))
      fail_here(at_, problem);
    at_ = end + 1;
  }

  /// Digits of `base` with single underscores between them; where they end.
  std::size_t digits(std::size_t at, int base, std::string& out) const {
    while (at < source_.size()) {
      const std::size_t next = at + (source_[at] == '_');
      if (next >= source_.size() || !is_digit_of(source_[next], base)) break;
      if (next != at && out.empty() && base == 10) break;
      out += source_[next];
      at = next + 1;
    }
    return at;
  }

  void read_number() {
    std::string text;
    std::size_t end = read_fraction(text);
    if (end != 0) {
      put(TokenKind::real).real = std::strtod(text.c_str(), nullptr);
      at_ = end;
      return;
    }
    int base = 10;
    text.clear();
    if (source_[at_] == '0' && at_ + 1 < source_.size()) {
      const char letter = static_cast<char>(source_[at_ + 1] | 32);
      base = letter == 'x' ? 16 : (letter == 'o' ? 8 : (letter == 'b' ? 2 : 10));
    }
    end = digits(base == 10 ? at_ : at_ + 2, base, text);
    if (base != 10 && text.empty()) base = 10, end = at_ + 1, text = "0";
    if (base == 10 && text[0] == '0' && text.find_first_not_of('0') != text.npos)
      fail_here(at_, "a number does not begin with 0");
    Token& token = put(TokenKind::integer);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), token.integer, base);
    if (read.ec != std::errc()) fail_here(at_, "the number does not fit in 64 bits");
    at_ = end;
  }

  /// A number with a fraction or an exponent: its text, and where it ends; 0 where it has neither.
  std::size_t read_fraction(std::string& text) const {
    if (at_ > 0 && source_[at_ - 1] == '.') return 0;
    std::size_t end = digits(at_, 10, text);
    bool found = false;
    std::string part;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      end = digits(end + 1, 10, part);
      text += '.' + part;
      found = true;
    }
    if (end < source_.size() && (source_[end] | 32) == 'e') {
      std::size_t begin = end + 1;
      const bool has_sign =
          begin < source_.size() && (source_[begin] == '-' || source_[begin] == '+');
      begin += has_sign;
      part.clear();
      const std::size_t after = digits(begin, 10, part);
      if (!part.empty() && is_digit(source_[begin])) {
        text += 'e' + (has_sign ? source_.substr(begin - 1, 1) : "") + part;
        end = after;
        found = true;
      }
    }
    return found ? end : 0;
  }

  const std::string source_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
  std::size_t counted_ = 0;  // bytes that place_ is the end of
  Where place_;
};

}  // namespace

std::vector<Token> read_tokens(std::string_view source) { return Lexer(source).run(); }

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::data:
      return "text";
    case TokenKind::variable_begin:
      return "'{{'";
    case TokenKind::variable_end:
      return "'}}'";
    case TokenKind::block_begin:
      return "'{%'";
    case TokenKind::block_end:
      return "'%}'";
    case TokenKind::name:
    case TokenKind::op:
      return fmt::format("'{}'", token.text);
    case TokenKind::string:
      return "a string";
    case TokenKind::integer:
    case TokenKind::real:
      return "a number";
    case TokenKind::end:
      break;
  }
  return "the end of the template";
}

void fail_at(Where at, std::string_view message) {
  fail(ErrorCode::kInvalidArgument, "{}:{}: {}", at.line, at.column, message);
}

}  // namespace lathe::chat
