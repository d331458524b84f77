#include "lathe/text/chat/format.h"

#include <fmt/core.h>

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/text/chat/html.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

constexpr std::int64_t kWidest = 1 << 20;  // characters that a field may be padded to
constexpr int kDeepestField = 2;           // fields in format specifications, as in Python

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads a number if there is one; `otherwise` if not.
std::int64_t read_number(std::string_view text, std::size_t& at, std::int64_t otherwise) {
  if (at >= text.size() || !is_digit(text[at])) return otherwise;
  std::int64_t number = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    number = number * 10 + (text[at] - '0');
    if (number > kWidest)
      fail(ErrorCode::kInvalidArgument, "a width of more than {} in a format", kWidest);
  }
  return number;
}

/// Pads to the width; `natural` is the side of the text without an align sign.
Text fit(const Text& text, const FormatSpec& spec, char natural) {
  const char align = spec.align == 0 ? natural : spec.align;
  const Side side = align == '<' ? Side::left : (align == '^' ? Side::both : Side::right);
  if (side != Side::both) return padded(text, spec.width, spec.fill, side);
  const std::int64_t missing =
      spec.width - static_cast<std::int64_t>(count_characters(text.view()));
  if (missing <= 0) return text;
  return padded(padded(text, spec.width - (missing + 1) / 2, spec.fill, Side::right), spec.width,
                spec.fill, Side::left);
}

Text first_characters(const Text& text, std::int64_t count) {
  if (count < 0) return text;
  return text.slice(0, byte_of_character(text.view(), static_cast<std::size_t>(count)));
}

/// Makes what % or format() asks for.
class Formatter {
 public:
  Formatter(Machine& machine, const Text& format, bool markup)
      : machine_(machine), format_(format), view_(format.view()), markup_(markup) {}

 protected:
  void put(const Text& text) {
    machine_.heap().work(text.size());
    machine_.heap().check_text(out_.size() + text.size());
    out_.append(text);
  }
  void put_literal(std::size_t begin, std::size_t end) { out_.append(format_, begin, end); }
  /// The text of a value: 's' str(), 'r' repr(), 'a' repr() in ASCII is not supported.
  Text shown(const Value& value, char how) {
    machine_.heap().visit(value);
    if (how == 'r') return markup_ ? escape_html(to_repr(value)) : to_repr(value);
    if (how != 's') fail(ErrorCode::kUnsupported, "the conversion '{}' is not supported", how);
    return markup_ ? as_markup(value) : to_text(value);
  }

  Machine& machine_;
  const Text& format_;
  const std::string_view view_;
  const bool markup_;
  Text out_;
};

class Percent final : Formatter {
 public:
  Percent(Machine& machine, const Text& format, const Value& values, bool markup)
      : Formatter(machine, format, markup), values_(values) {}

  Text run() {
    std::size_t at = 0;
    while (at < view_.size()) {
      const std::size_t percent = std::min(view_.find('%', at), view_.size());
      put_literal(at, percent);
      at = percent;
      if (at < view_.size()) field(++at);
    }
    const bool all = !values_.is(Kind::tuple) ? used_ > 0 || named_ || values_.is(Kind::dict)
                                              : used_ == values_.items().size();
    if (!all) type_error("not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  const Value& next_value() {
    if (values_.is(Kind::tuple)) {
      if (used_ >= values_.items().size()) type_error("not enough arguments for format string");
      return values_.items()[used_++];
    }
    if (used_++ > 0) type_error("not enough arguments for format string");
    return values_;
  }

  std::int64_t number_or_star(std::size_t& at, std::int64_t otherwise) {
    if (at >= view_.size() || view_[at] != '*') return read_number(view_, at, otherwise);
    ++at;
    const std::int64_t number = need_integer(next_value());
    if (number > kWidest || number < -kWidest) type_error("a width that is too large in a format");
    return number;
  }

  Value named_value(std::size_t& at) {
    const std::size_t end = view_.find(')', at);
    if (end == view_.npos) type_error("incomplete format key");
    if (!values_.is(Kind::dict)) type_error("format requires a mapping");
    const Value* found = values_.as<DictObject>().find(view_.substr(at + 1, end - at - 1));
    if (found == nullptr)
      type_error(fmt::format("no key '{}' for the format", view_.substr(at + 1, end - at - 1)));
    at = end + 1;
    named_ = true;
    return *found;
  }

  void flags(std::size_t& at, FormatSpec& spec) {
    for (; at < view_.size(); ++at) {
      const char c = view_[at];
      if (c == '-')
        spec.align = '<';
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else if (c == '0')
        spec.zero = true;
      else if (c == '#')
        spec.alternative = true;
      else
        break;
    }
  }

  /// What follows a percent sign.
  void field(std::size_t& at) {
    FormatSpec spec;
    std::optional<Value> named;
    if (at < view_.size() && view_[at] == '(') named = named_value(at);
    flags(at, spec);
    spec.width = number_or_star(at, 0);
    if (spec.width < 0) spec.width = -spec.width, spec.align = '<';
    if (at < view_.size() && view_[at] == '.')
      spec.precision = std::max<std::int64_t>(0, number_or_star(++at, 0));
    if (at >= view_.size()) type_error("incomplete format");
    spec.type = view_[at++];
    if (spec.type == '%') return out_.append("%", Trust::author);
    const Value value = named ? *named : next_value();
    put(converted(value, spec));
  }

  Text converted(const Value& value, FormatSpec spec) {
    if (spec.type == 's' || spec.type == 'r')
      return fit(first_characters(shown(value, spec.type), spec.precision), spec, '>');
    if (spec.type == 'c') {
      if (!value.is_text() || count_characters(value.text().view()) != 1)
        fail(ErrorCode::kUnsupported, "%c is supported for strings of one character only");
      return fit(value.text(), spec, '>');
    }
    if (spec.type == 'd' || spec.type == 'i' || spec.type == 'u') spec.type = 'd';
    Value number = value;
    if (spec.type == 'd' && value.is(Kind::real))
      number = Value::of(static_cast<std::int64_t>(std::clamp(value.real(), -9.2e18, 9.2e18)));
    if (!number.is_number())
      type_error(
          fmt::format("%{} format: a number is required, not {}", spec.type, type_name(value)));
    if (spec.zero && spec.align != '<') spec.align = '=', spec.fill = "0";
    return fit(Text(format_number(number, spec), Trust::author), spec, '>');
  }

  const Value& values_;
  std::size_t used_ = 0;
  bool named_ = false;
};

class Braces final : Formatter {
 public:
  Braces(Machine& machine, const Text& format, const Arguments& arguments, bool markup)
      : Formatter(machine, format, markup), arguments_(arguments) {}

  Text run() {
    std::size_t at = 0;
    while (at < view_.size()) {
      const std::size_t brace = std::min(view_.find_first_of("{}", at), view_.size());
      put_literal(at, brace);
      at = brace;
      if (at == view_.size()) break;
      if (at + 1 < view_.size() && view_[at + 1] == view_[at]) {
        put_literal(at, at + 1);
        at += 2;
      } else if (view_[at] == '}') {
        type_error("Single '}' encountered in format string");
      } else {
        put(field(++at, 1));
      }
    }
    return std::move(out_);
  }

 private:
  /// After "{"; leaves `at` behind "}".
  Text field(std::size_t& at, int depth) {
    const Value value = field_value(at);
    char how = 0;
    if (at < view_.size() && view_[at] == '!') {
      how = at + 1 < view_.size() ? view_[at + 1] : 0;
      at += 2;
    }
    Text spec;
    if (at < view_.size() && view_[at] == ':') {
      for (++at; at < view_.size() && view_[at] != '}';) {
        if (view_[at] != '{') {
          spec.append(format_, at, at + 1);
          ++at;
        } else if (depth >= kDeepestField) {
          type_error("Max string recursion exceeded");
        } else {
          spec.append(field(++at, depth + 1));
        }
      }
    }
    if (at >= view_.size() || view_[at] != '}') type_error("expected '}' before end of string");
    ++at;
    return formatted(value, how, spec);
  }

  Value field_value(std::size_t& at) {
    std::size_t end = at;
    while (end < view_.size() && view_.substr(end).find_first_of(".[!:}{") != 0) ++end;
    Value value = first_value(view_.substr(at, end - at));
    at = end;
    while (at < view_.size() && (view_[at] == '.' || view_[at] == '[')) {
      const bool is_item = view_[at] == '[';
      end = is_item ? view_.find(']', at) : view_.find_first_of(".[!:}", at + 1);
      if (end == view_.npos) type_error("expected '}' before end of string");
      const std::string_view name = view_.substr(at + 1, end - at - 1);
      value =
          is_item ? machine_.get_item(value, item_key(name)) : machine_.get_attribute(value, name);
      at = end + is_item;
    }
    return value;
  }

  Value item_key(std::string_view name) {
    std::size_t end = 0;
    const std::int64_t number = read_number(name, end, -1);
    return number >= 0 && end == name.size() ? Value::of(number) : machine_.heap().text(name);
  }

  Value first_value(std::string_view name) {
    std::size_t end = 0;
    std::int64_t index = read_number(name, end, -1);
    if (name.empty()) index = next_++;
    if (name.empty() || (index >= 0 && end == name.size())) {
      if (static_cast<std::size_t>(index) >= arguments_.positional.size())
        type_error(
            fmt::format("Replacement index {} out of range for positional args tuple", index));
      return arguments_.positional[static_cast<std::size_t>(index)];
    }
    for (const auto& [known, value] : arguments_.named)
      if (known == name) return value;
    type_error(fmt::format("no argument '{}' for the format", name));
  }

  Text formatted(const Value& value, char how, const Text& text) {
    const FormatSpec spec = read_spec(text.view());
    const bool is_number = value.is_number() && how == 0;
    if (text.empty() && !is_number) return shown(value, how == 0 ? 's' : how);
    if (is_number && !(text.empty() || value.is(Kind::boolean) || spec.type == 's')) {
      FormatSpec filled = spec;
      if (spec.zero && spec.align == 0) filled.align = '=', filled.fill = "0";
      return fit(Text(format_number(value, filled), Trust::author), filled, '>');
    }
    if (text.empty()) return shown(value, 's');
    if (spec.type != 0 && spec.type != 's')
      type_error(fmt::format("Unknown format code '{}' for object of type '{}'", spec.type,
                             type_name(value)));
    if (how == 0 && !value.is_text() && !value.is_number())
      type_error(
          fmt::format("unsupported format string passed to {}.__format__", type_name(value)));
    return fit(first_characters(shown(value, how == 0 ? 's' : how), spec.precision), spec, '<');
  }

  static FormatSpec read_spec(std::string_view text) {
    static constexpr std::string_view kAligns = "<>^=";
    FormatSpec spec;
    std::size_t at = 0;
    const auto now = [&] { return at < text.size() ? text[at] : '\0'; };
    const auto take = [&](char c) { return now() == c && c != 0 ? (++at, true) : false; };
    const std::size_t first = text.empty() ? 0 : character_at(text, 0).size;
    if (first < text.size() && kAligns.find(text[first]) != kAligns.npos) {
      spec.fill = text.substr(0, first);
      spec.align = text[first];
      at = first + 1;
    } else if (!text.empty() && kAligns.find(text[0]) != kAligns.npos) {
      spec.align = text[at++];
    }
    if (now() == '+' || now() == '-' || now() == ' ') spec.sign = text[at++];
    spec.alternative = take('#');
    spec.zero = take('0');
    spec.width = read_number(text, at, 0);
    if (now() == ',' || now() == '_') spec.group = text[at++];
    if (take('.')) {
      spec.precision = read_number(text, at, -1);
      if (spec.precision < 0) type_error("Format specifier missing precision");
    }
    if (at < text.size()) spec.type = text[at++];
    if (at != text.size()) type_error("Invalid format specifier");
    return spec;
  }

  const Arguments& arguments_;
  std::int64_t next_ = 0;
};

}  // namespace

Text percent_format(Machine& machine, const Text& format, const Value& values, bool markup) {
  return Percent(machine, format, values, markup).run();
}

Text brace_format(Machine& machine, const Text& format, const Arguments& arguments, bool markup) {
  return Braces(machine, format, arguments, markup).run();
}

}  // namespace lathe::chat
