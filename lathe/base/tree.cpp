#include "lathe/base/tree.h"

#include <fmt/core.h>

#include "lathe/base/format.h"

namespace lathe {
namespace {

constexpr std::size_t kQuoted = 40;  // bytes of a string that a message repeats

std::string shortened(const std::string& text) {
  if (text.size() <= kQuoted) return text;
  std::size_t end = kQuoted;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

Tree Tree::of(bool value) {
  Tree tree;
  tree.kind = Kind::boolean;
  tree.boolean = value;
  return tree;
}

Tree Tree::of(std::int64_t value) {
  Tree tree;
  tree.kind = Kind::integer;
  tree.integer = value;
  return tree;
}

Tree Tree::of(double value) {
  Tree tree;
  tree.kind = Kind::real;
  tree.real = value;
  return tree;
}

Tree Tree::of(std::string value) {
  Tree tree;
  tree.kind = Kind::string;
  tree.text = std::move(value);
  return tree;
}

Tree Tree::table() {
  Tree tree;
  tree.kind = Kind::table;
  return tree;
}

const Tree* Tree::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return &items[i];
  return nullptr;
}

void Tree::add(std::string key, Tree value) {
  keys.push_back(std::move(key));
  items.push_back(std::move(value));
}

std::string describe(const Tree& value) {
  switch (value.kind) {
    case Tree::Kind::null:
      return "null";
    case Tree::Kind::boolean:
      return value.boolean ? "true" : "false";
    case Tree::Kind::integer:
      return fmt::format("integer {}", value.integer);
    case Tree::Kind::real:
      return fmt::format("number {}", shortest(value.real));
    case Tree::Kind::string:
      return fmt::format("string \"{}\"", shortened(value.text));
    case Tree::Kind::array:
      return fmt::format("a list of {}", value.items.size());
    case Tree::Kind::table:
      return "a table";
    case Tree::Kind::date:
      return fmt::format("date {}", value.text);
  }
  return "nothing";
}

}  // namespace lathe
