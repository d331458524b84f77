// Methods of str that answer about it. Source of what they do: the Python library reference.
#include <algorithm>

#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

/// The bytes [begin, end) of the characters [start, stop) that arguments 1 and 2 name; false where
/// start lies behind the end.
bool window(const Text& text, const Bound& bound, std::size_t& begin, std::size_t& end) {
  const auto size = static_cast<std::int64_t>(count_characters(text.view()));
  const auto place = [&](std::size_t index, std::int64_t otherwise) {
    std::int64_t at = bound.is_none(index) ? otherwise : bound.integer(index, otherwise);
    if (at < 0) at = std::max<std::int64_t>(0, at < -size ? 0 : at + size);
    return at;
  };
  const std::int64_t start = place(1, 0), stop = std::min(size, place(2, size));
  if (start > stop) return false;
  begin = byte_of_character(text.view(), static_cast<std::size_t>(start));
  end = byte_of_character(text.view(), static_cast<std::size_t>(stop));
  return true;
}

/// The character where the part is found, -1 if nowhere.
template <bool from_right>
std::int64_t search(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"sub", "start", "end"}, 1);
  const Text &text = self.text(), &part = need_text(*bound.get(0), "what is sought");
  machine.heap().work(2 * text.size());
  std::size_t begin = 0, end = 0;
  if (!window(text, bound, begin, end)) return -1;
  const std::string_view view = text.view().substr(begin, end - begin);
  const std::size_t at =
      from_right ? rfind_bytes(view, part.view(), view.size()) : find_bytes(view, part.view());
  if (at == std::string_view::npos) return -1;
  return static_cast<std::int64_t>(count_characters(text.view().substr(0, begin + at)));
}

template <bool from_right>
Value find(Machine& machine, const Value& self, Arguments& arguments) {
  return Value::of(search<from_right>(machine, self, arguments));
}

template <bool from_right>
Value index(Machine& machine, const Value& self, Arguments& arguments) {
  const std::int64_t at = search<from_right>(machine, self, arguments);
  if (at < 0) type_error("substring not found");
  return Value::of(at);
}

Value count(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"sub", "start", "end"}, 1);
  const Text &text = self.text(), &part = need_text(*bound.get(0), "what is counted");
  machine.heap().work(2 * text.size());
  std::size_t begin = 0, end = 0;
  if (!window(text, bound, begin, end)) return Value::of(std::int64_t{0});
  const std::string_view view = text.view().substr(begin, end - begin);
  if (part.empty()) return Value::of(static_cast<std::int64_t>(count_characters(view)) + 1);
  std::int64_t found = 0;
  for (std::size_t at = 0; (at = find_bytes(view, part.view(), at)) != view.npos; at += part.size())
    ++found;
  return Value::of(found);
}

template <bool at_end>
Value starts_or_ends(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"prefix", "start", "end"}, 1);
  const Text& text = self.text();
  if (bound.has(1)) machine.heap().work(text.size());
  std::size_t begin = 0, end = text.size();
  if (bound.has(1) && !window(text, bound, begin, end)) return Value::of(false);
  const std::string_view view = text.view().substr(begin, end - begin);
  const auto fits = [&](const Value& part) {
    const std::string_view wanted = need_text(part, "what it is compared with").view();
    machine.heap().work(std::min(wanted.size(), view.size()));
    return at_end ? view.ends_with(wanted) : view.starts_with(wanted);
  };
  const Value& part = *bound.get(0);
  if (!part.is(Kind::tuple)) return Value::of(fits(part));
  return Value::of(std::any_of(part.items().begin(), part.items().end(), fits));
}

/// All characters pass, and there are some (or none at all where `empty` says so).
template <bool (*test)(std::uint32_t), bool empty>
Value all(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  const Text& text = self.text();
  machine.heap().work(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    if (!test(c.code)) return Value::of(false);
    at += c.size;
  }
  return Value::of(!text.empty() || empty);
}

bool is_ascii(std::uint32_t c) { return c < 128; }

template <bool (*wanted)(std::uint32_t)>
Value all_cased(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  const Text& text = self.text();
  machine.heap().work(text.size());
  bool some = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    if (is_cased(c.code) && !wanted(c.code)) return Value::of(false);
    some |= is_cased(c.code);
    at += c.size;
  }
  return Value::of(some);
}

/// Upper or title case where a word begins, lower case inside.
Value istitle(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  const Text& text = self.text();
  machine.heap().work(text.size());
  bool inside = false, some = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    const bool cased = is_cased(c.code);
    if (cased && is_lower(c.code) != inside) return Value::of(false);
    inside = cased;
    some |= cased;
    at += c.size;
  }
  return Value::of(some);
}

Value isidentifier(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  machine.heap().work(self.text().size());
  return Value::of(!self.text().empty() &&
                   identifier_size(self.text().view()) == self.text().size());
}

}  // namespace

void add_text_queries(BuiltinList& table) {
  table.insert(table.end(), {{"find", find<false>},
                             {"rfind", find<true>},
                             {"index", index<false>},
                             {"rindex", index<true>},
                             {"count", count},
                             {"startswith", starts_or_ends<false>},
                             {"endswith", starts_or_ends<true>},
                             {"isspace", all<is_space, false>},
                             {"isalpha", all<is_letter, false>},
                             {"isalnum", all<is_alphanumeric, false>},
                             {"isdigit", all<is_decimal, false>},
                             {"isdecimal", all<is_decimal, false>},
                             {"isnumeric", all<is_decimal, false>},
                             {"isprintable", all<is_printable, true>},
                             {"isascii", all<is_ascii, true>},
                             {"islower", all_cased<is_lower>},
                             {"isupper", all_cased<is_upper>},
                             {"istitle", istitle},
                             {"isidentifier", isidentifier}});
}

}  // namespace lathe::chat
