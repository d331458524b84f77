// Filters on strings. Source of what they do: jinja2 3.1 (filters), transformers (tojson).
#include <fmt/core.h>

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/format.h"
#include "lathe/text/chat/html.h"
#include "lathe/text/chat/json_text.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

/// The text that a filter works on, and the work of going through it.
Text subject(Machine& machine, const Value& value) {
  machine.heap().visit(value);
  return to_text(value);
}

/// A result that is markup when the operand was.
Value like(Machine& machine, const Value& operand, Text text) {
  return machine.heap().text(std::move(text), operand.is_markup());
}

Value tojson(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  Heap& heap = machine.heap();
  heap.visit(self);
  JsonStyle style;
  style.ascii = bound.flag(0, false);
  style.sort_keys = bound.flag(3, false);
  if (!bound.is_none(1)) {
    const Value indent = bound.value(1);
    if (indent.is_text())
      style.indent = indent.text();
    else {
      const std::int64_t width = std::max<std::int64_t>(0, need_integer(indent));
      heap.check_text(1, width);
      style.indent = Text(std::string(static_cast<std::size_t>(width), ' '), Trust::author);
    }
    heap.check_text(style.indent->size() * static_cast<std::size_t>(self.depth()),
                    static_cast<std::int64_t>(self.weight() / 8));
  }
  if (!bound.is_none(2)) {
    const std::vector<Value> pair = machine.iterate(bound.value(2));
    if (pair.size() != 2) type_error("separators must be a pair of strings");
    style.item_separator = need_text(pair[0], "a separator");
    style.key_separator = need_text(pair[1], "a separator");
    heap.check_text(style.item_separator->size() + style.key_separator->size(),
                    static_cast<std::int64_t>(self.weight() / 8));
  }
  return heap.text(to_json(self, style));
}

Value string(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return like(machine, self, subject(machine, self));
}

Value safe(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return machine.heap().text(subject(machine, self), true);
}

Value escape(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  machine.heap().visit(self);
  return machine.heap().text(as_markup(self), true);
}

Value forceescape(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return machine.heap().text(escape_html(subject(machine, self)), true);
}

Value trim(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"chars"});
  const Text text = subject(machine, self);
  if (bound.is_none(0)) return like(machine, self, strip(text, nullptr, Side::both));
  const Text& chars = need_text(*bound.get(0), "the characters to trim");
  machine.heap().check_text(chars.size(), 4096);
  const std::string_view set = chars.view();
  return like(machine, self, strip(text, &set, Side::both));
}

Value upper(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return like(machine, self, cased(subject(machine, self), Case::upper));
}

Value lower(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return like(machine, self, cased(subject(machine, self), Case::lower));
}

Value capitalize(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return like(machine, self, capitalized(subject(machine, self)));
}

/// Words begin after - ( { [ < and spaces.
Value title(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  const Text text = subject(machine, self);
  const auto separates = [](std::uint32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    const bool apart = separates(character_at(text.view(), at).code);
    std::size_t end = at;
    while (end < text.size() && separates(character_at(text.view(), end).code) == apart)
      end += character_at(text.view(), end).size;
    const std::size_t first = at + character_at(text.view(), at).size;
    out.append(cased(text.slice(at, first), Case::upper));
    out.append(cased(text.slice(first, end), Case::lower));
    at = end;
  }
  return machine.heap().text(std::move(out));
}

Value replace_filter(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"old", "new", "count"}, 2);
  const Text text = subject(machine, self), from = subject(machine, bound.value(0)),
             to = subject(machine, bound.value(1));
  const std::int64_t count = bound.is_none(2) ? -1 : bound.integer(2, -1);
  const std::size_t most = from.empty() ? text.size() + 1 : text.size() / from.size();
  machine.heap().check_text(to.size(), static_cast<std::int64_t>(most));
  return machine.heap().text(replace(text, from.view(), to, count));
}

Value indent(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"width", "first", "blank"});
  if (!self.is_text()) type_error(fmt::format("indent needs a str, not {}", type_name(self)));
  Heap& heap = machine.heap();
  heap.visit(self);
  Text margin;
  if (bound.has(0) && bound.get(0)->is_text()) {
    margin = bound.get(0)->text();
  } else {
    const std::int64_t width = std::max<std::int64_t>(0, bound.integer(0, 4));
    heap.check_text(1, width);
    margin = Text(std::string(static_cast<std::size_t>(width), ' '), Trust::author);
  }
  Text whole = self.text();
  whole.append("\n", Trust::author);
  const std::vector<Text> lines = split_lines(whole, false);
  heap.check_text(margin.size() + sizeof(Text), static_cast<std::int64_t>(lines.size()));
  const bool blank = bound.flag(2, false);
  Text out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n", Trust::author);
    if (i == 0 ? bound.flag(1, false) : blank || !lines[i].empty()) out.append(margin);
    out.append(lines[i]);
  }
  return like(machine, self, std::move(out));
}

Value format_filter(Machine& machine, const Value& self, Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty())
    type_error("can't handle positional and keyword arguments at the same time");
  Value values = machine.heap().tuple(arguments.positional);
  if (!arguments.named.empty()) {
    std::vector<std::pair<Value, Value>> items;
    for (const auto& [name, value] : arguments.named)
      items.emplace_back(machine.heap().text(name), value);
    values = machine.heap().dict(std::move(items));
  }
  return like(machine, self,
              percent_format(machine, subject(machine, self), values, self.is_markup()));
}

Value center(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"width"});
  const std::int64_t width = bound.integer(0, 80);
  machine.heap().check_text(1, width);
  return like(machine, self, padded(subject(machine, self), width, " ", Side::both));
}

Value truncate(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"length", "killwords", "end", "leeway"});
  const Text text = need_text(self, "what is truncated");
  machine.heap().visit(self);
  const std::int64_t length = bound.integer(0, 255);
  const Text end = bound.has(2) ? need_text(*bound.get(2), "the end") : Text("...", Trust::author);
  const std::int64_t leeway = bound.is_none(3) ? 5 : bound.integer(3, 5);
  const auto end_size = static_cast<std::int64_t>(count_characters(end.view()));
  if (length < end_size || leeway < 0) type_error("truncate: the length is less than its end");
  const auto size = static_cast<std::int64_t>(count_characters(text.view()));
  if (size - leeway <= length) return self;
  const auto keep = static_cast<std::size_t>(length - end_size);
  Text out = text.slice(0, byte_of_character(text.view(), keep));
  const std::size_t space = out.view().rfind(' ');
  if (!bound.flag(1, false) && space != std::string_view::npos) out.shorten(space);
  out.append(end);
  return like(machine, self, std::move(out));
}

Value wordcount(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  const Text text = subject(machine, self);
  std::int64_t count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    const bool word = is_alphanumeric(c.code) || c.code == '_';
    count += word && !inside;
    inside = word;
    at += c.size;
  }
  return Value::of(count);
}

void put_quoted(const Text& text, bool for_query, Text& out) {
  static constexpr std::string_view kPlain = "_.-~";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.view()[at];
    const bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                       kPlain.find(c) != kPlain.npos || (c == '/' && !for_query);
    if (plain)
      out.append(text, at, at + 1);
    else if (c == ' ' && for_query)
      out.append("+", text.trust_at(at));
    else
      out.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)), text.trust_at(at));
  }
}

Value urlencode(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  machine.heap().visit(self);
  Text out;
  if (!self.is(Kind::dict) && !self.is_sequence()) {
    put_quoted(to_text(self), false, out);
    return machine.heap().text(std::move(out));
  }
  std::vector<Value> items;
  if (!self.is(Kind::dict))
    items = self.items();
  else
    for (const auto& [key, value] : self.as<DictObject>().items)
      items.push_back(machine.heap().tuple({key, value}));
  for (const Value& item : items) {
    const std::vector<Value> pair = machine.iterate(item);
    if (pair.size() != 2) type_error("urlencode needs pairs of a key and a value");
    if (!out.empty()) out.append("&", Trust::author);
    put_quoted(to_text(pair[0]), true, out);
    out.append("=", Trust::author);
    put_quoted(to_text(pair[1]), true, out);
  }
  return machine.heap().text(std::move(out));
}

Value pprint(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  machine.heap().visit(self);
  Text out = to_repr(self);
  if (count_characters(out.view()) > 80 && !self.is_number())
    fail(ErrorCode::kUnsupported, "pprint is supported for what fits on a line of 80 characters");
  return machine.heap().text(std::move(out));
}

Value unsupported(Machine&, const Value&, Arguments&) {
  fail(ErrorCode::kUnsupported, "this filter is not supported in chat templates");
}

}  // namespace

void add_text_filters(BuiltinList& table) {
  table.insert(table.end(), {{"tojson", tojson},
                             {"string", string},
                             {"safe", safe},
                             {"e", escape},
                             {"escape", escape},
                             {"forceescape", forceescape},
                             {"trim", trim},
                             {"upper", upper},
                             {"lower", lower},
                             {"capitalize", capitalize},
                             {"title", title},
                             {"replace", replace_filter},
                             {"indent", indent},
                             {"format", format_filter},
                             {"center", center},
                             {"truncate", truncate},
                             {"wordcount", wordcount},
                             {"urlencode", urlencode},
                             {"pprint", pprint}});
  for (const std::string_view name : {"random", "striptags", "urlize", "wordwrap", "xmlattr"})
    table.emplace_back(name, unsupported);
}

}  // namespace lathe::chat
