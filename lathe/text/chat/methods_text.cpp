// Methods of str that give strings. Source of what they do: the Python library reference.
#include <fmt/core.h>

#include <algorithm>

#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/format.h"
#include "lathe/text/chat/html.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

Value like(Machine& machine, const Value& self, Text text) {
  machine.heap().work(text.size());
  return machine.heap().text(std::move(text), self.is_markup());
}

Value list_like(Machine& machine, const Value& self, std::vector<Text> parts) {
  std::vector<Value> items;
  for (Text& part : parts) items.push_back(like(machine, self, std::move(part)));
  return machine.heap().list(std::move(items));
}

Value tuple_like(Machine& machine, const Value& self, std::vector<Text> parts) {
  return machine.heap().tuple(list_like(machine, self, std::move(parts)).items());
}

template <Side side>
Value strip_method(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"chars"});
  machine.heap().work(self.text().size());
  if (bound.is_none(0)) return like(machine, self, strip(self.text(), nullptr, side));
  const Text& chars = need_text(*bound.get(0), "strip arg");
  machine.heap().check_text(chars.size(), 4096);
  const std::string_view set = chars.view();
  return like(machine, self, strip(self.text(), &set, side));
}

template <bool from_right>
Value split_method(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"sep", "maxsplit"});
  machine.heap().work(self.text().size());
  const std::int64_t most = bound.integer(1, -1);
  const Text& text = self.text();
  if (bound.is_none(0))
    return list_like(machine, self,
                     from_right ? rsplit_spaces(text, most) : split_spaces(text, most));
  const Text& separator = need_text(*bound.get(0), "the separator");
  if (separator.empty()) type_error("empty separator");
  return list_like(
      machine, self,
      from_right ? rsplit(text, separator.view(), most) : split(text, separator.view(), most));
}

Value splitlines(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"keepends"});
  machine.heap().work(self.text().size());
  return list_like(machine, self, split_lines(self.text(), bound.flag(0, false)));
}

template <bool from_right>
Value partition(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"sep"}, 1);
  const Text& text = self.text();
  const Text& separator = need_text(*bound.get(0), "the separator");
  if (separator.empty()) type_error("empty separator");
  machine.heap().work(text.size());
  const std::size_t at = from_right ? rfind_bytes(text.view(), separator.view(), text.size())
                                    : find_bytes(text.view(), separator.view());
  if (at == std::string_view::npos)
    return tuple_like(machine, self,
                      from_right ? std::vector<Text>{Text(), Text(), text}
                                 : std::vector<Text>{text, Text(), Text()});
  return tuple_like(machine, self,
                    {text.slice(0, at), separator, text.slice(at + separator.size(), text.size())});
}

Value replace_method(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"old", "new", "count"}, 2);
  const Text& text = self.text();
  const Text& from = need_text(*bound.get(0), "replace() argument 1");
  machine.heap().visit(*bound.get(1));
  const Text to = self.is_markup() ? as_markup(*bound.get(1))
                                   : need_text(*bound.get(1), "replace() argument 2");
  machine.heap().work(text.size());
  const std::size_t most = from.empty() ? text.size() + 1 : text.size() / from.size();
  machine.heap().check_text(to.size(), static_cast<std::int64_t>(most));
  return like(machine, self, replace(text, from.view(), to, bound.integer(2, -1)));
}

template <Text (*map)(const Text&)>
Value mapped(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  machine.heap().work(2 * self.text().size());
  return like(machine, self, map(self.text()));
}

Text upper(const Text& text) { return cased(text, Case::upper); }
Text lower(const Text& text) { return cased(text, Case::lower); }

Value join(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"iterable"}, 1);
  Heap& heap = machine.heap();
  Text out;
  std::size_t index = 0;
  for (const Value& item : machine.iterate(*bound.get(0))) {
    if (!item.is_text())
      type_error(
          fmt::format("sequence item {}: expected str instance, {} found", index, type_name(item)));
    const Text part = self.is_markup() ? as_markup(item) : item.text();
    heap.work(part.size() + self.text().size());
    heap.check_text(out.size() + part.size() + self.text().size());
    if (index++ > 0) out.append(self.text());
    out.append(part);
  }
  return heap.text(std::move(out), self.is_markup());
}

Value format_method(Machine& machine, const Value& self, Arguments& arguments) {
  return machine.heap().text(brace_format(machine, self.text(), arguments, self.is_markup()),
                             self.is_markup());
}

Value format_map(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"mapping"}, 1);
  if (!bound.get(0)->is(Kind::dict)) type_error("format_map() argument must be a mapping");
  Arguments named;
  for (const auto& [key, value] : bound.get(0)->as<DictObject>().items)
    if (key.is_text()) named.named.emplace_back(key.text().bytes(), value);
  return format_method(machine, self, named);
}

template <Side side>
Value justify(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"width", "fillchar"}, 1);
  const std::string fill = bound.has(1) ? need_text(*bound.get(1), "the fill").bytes() : " ";
  if (count_characters(fill) != 1)
    type_error("The fill character must be exactly one character long");
  const std::int64_t width = need_integer(*bound.get(0));
  machine.heap().check_text(fill.size(), width);
  return like(machine, self, padded(self.text(), width, fill, side));
}

Value zfill(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"width"}, 1);
  const std::int64_t width = need_integer(*bound.get(0));
  machine.heap().check_text(1, width);
  const Text& text = self.text();
  const bool is_signed = !text.empty() && (text.view()[0] == '-' || text.view()[0] == '+');
  Text out = text.slice(0, is_signed);
  out.append(padded(text.slice(is_signed, text.size()), width - is_signed, "0", Side::right));
  return like(machine, self, std::move(out));
}

Value expandtabs(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"tabsize"});
  const std::int64_t size = std::max<std::int64_t>(0, bound.integer(0, 8));
  const Text& text = self.text();
  machine.heap().check_text(static_cast<std::size_t>(size) + 1,
                            static_cast<std::int64_t>(text.size()));
  Text out;
  std::int64_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    if (c.code == '\t') {
      const std::int64_t spaces = size == 0 ? 0 : size - column % size;
      out.append(std::string(static_cast<std::size_t>(spaces), ' '), text.trust_at(at));
      column += spaces;
    } else {
      out.append(text, at, at + c.size);
      column = c.code == '\n' || c.code == '\r' ? 0 : column + 1;
    }
    at += c.size;
  }
  return like(machine, self, std::move(out));
}

Value removeprefix(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"prefix"}, 1);
  const Text &text = self.text(), &prefix = need_text(*bound.get(0), "the prefix");
  const std::size_t skip = text.view().starts_with(prefix.view()) ? prefix.size() : 0;
  return like(machine, self, text.slice(skip, text.size()));
}

Value removesuffix(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"suffix"}, 1);
  const Text &text = self.text(), &suffix = need_text(*bound.get(0), "the suffix");
  const std::size_t skip = text.view().ends_with(suffix.view()) ? suffix.size() : 0;
  return like(machine, self, text.slice(0, text.size() - skip));
}

}  // namespace

void add_text_methods(BuiltinList& table) {
  table.insert(table.end(), {{"strip", strip_method<Side::both>},
                             {"lstrip", strip_method<Side::left>},
                             {"rstrip", strip_method<Side::right>},
                             {"split", split_method<false>},
                             {"rsplit", split_method<true>},
                             {"splitlines", splitlines},
                             {"partition", partition<false>},
                             {"rpartition", partition<true>},
                             {"replace", replace_method},
                             {"upper", mapped<upper>},
                             {"lower", mapped<lower>},
                             {"casefold", mapped<lower>},
                             {"capitalize", mapped<capitalized>},
                             {"title", mapped<titled>},
                             {"swapcase", mapped<swapped_case>},
                             {"join", join},
                             {"format", format_method},
                             {"format_map", format_map},
                             {"ljust", justify<Side::left>},
                             {"rjust", justify<Side::right>},
                             {"center", justify<Side::both>},
                             {"zfill", zfill},
                             {"expandtabs", expandtabs},
                             {"removeprefix", removeprefix},
                             {"removesuffix", removesuffix}});
}

}  // namespace lathe::chat
