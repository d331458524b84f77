// The only file that includes toml++.
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
// The parser's own assertions would end the process on "[[[" in builds that keep them; without them
// it goes on to its ordinary error. The fuzz target runs this way under the sanitizers.
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_ENABLE_FORMATTERS 1
#include <fmt/core.h>
#include <toml++/toml.h>

#include <sstream>

#include "lathe/base/error.h"
#include "lathe/base/toml.h"

namespace lathe {
namespace {

constexpr std::size_t kLargestText = std::size_t{16} << 20;
constexpr int kDeepestKey = 64;

struct Position {
  int line = 1, column = 1;
};

/// Parts of dotted keys nest tables, and toml++ frees nested tables recursively: a key of a hundred
/// thousand parts would overflow the stack. Finds where a key has more than kDeepestKey parts.
/// Dots in strings and comments do not count; those in numbers are separated by other signs.
class KeyDepth {
 public:
  explicit KeyDepth(std::string_view text) : text_(text) {}

  bool too_deep(Position& where) {
    int dots = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (c == '.' && ++dots > kDeepestKey) {
        where = position();
        return true;
      }
      if (c == ',' || c == '=' || c == '\n' || c == '[' || c == '{') dots = 0;
      ++at_;
    }
    return false;
  }

 private:
  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.compare(at_, 3, triple) == 0;
    const std::string_view end =
        multi_line ? std::string_view(triple) : std::string_view(&quote, 1);
    at_ += end.size();
    while (at_ < text_.size() && text_.compare(at_, end.size(), end) != 0) {
      if (!multi_line && text_[at_] == '\n') return;  // not a string after all: toml++ will say so
      at_ += quote == '"' && text_[at_] == '\\' ? 2 : 1;
    }
    at_ = std::min(at_ + end.size(), text_.size());
  }

  Position position() const {
    Position where;
    for (std::size_t i = 0; i < at_; ++i) {
      where.column = text_[i] == '\n' ? 1 : where.column + 1;
      where.line += text_[i] == '\n' ? 1 : 0;
    }
    return where;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Tree tree_of(const toml::node& node);

Tree table_of(const toml::table& table) {
  Tree tree = Tree::table();
  for (const auto& [key, value] : table) {
    Tree item = tree_of(value);
    const toml::source_position at = key.source().begin;
    item.key_line = static_cast<int>(at.line);
    item.key_column = static_cast<int>(at.column);
    tree.add(std::string(key.str()), std::move(item));
  }
  return tree;
}

Tree array_of(const toml::array& array) {
  Tree tree;
  tree.kind = Tree::Kind::array;
  for (const toml::node& element : array) tree.items.push_back(tree_of(element));
  return tree;
}

template <typename T>
Tree date_of(const toml::value<T>& value) {
  std::ostringstream text;
  text << value.get();
  Tree tree = Tree::of(text.str());
  tree.kind = Tree::Kind::date;
  return tree;
}

Tree tree_of(const toml::node& node) {
  Tree tree = node.visit([](const auto& n) {
    using N = std::decay_t<decltype(n)>;
    if constexpr (toml::is_table<N>)
      return table_of(n);
    else if constexpr (toml::is_array<N>)
      return array_of(n);
    else if constexpr (toml::is_boolean<N>)
      return Tree::of(n.get());
    else if constexpr (toml::is_integer<N>)
      return Tree::of(std::int64_t{n.get()});
    else if constexpr (toml::is_floating_point<N>)
      return Tree::of(double{n.get()});
    else if constexpr (toml::is_string<N>)
      return Tree::of(std::string(n.get()));
    else
      return date_of(n);
  });
  tree.line = static_cast<int>(node.source().begin.line);
  tree.column = static_cast<int>(node.source().begin.column);
  return tree;
}

}  // namespace

Tree parse_toml(std::string_view text, std::string_view source) {
  if (text.size() > kLargestText)
    fail(ErrorCode::kInvalidArgument, "{}: expected a configuration of at most {} bytes, got {}",
         source, kLargestText, text.size());
  if (Position where; KeyDepth(text).too_deep(where))
    fail(ErrorCode::kInvalidArgument, "{}:{}:{}: expected a key of at most {} parts", source,
         where.line, where.column, kDeepestKey);
  try {
    return table_of(toml::parse(text));
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    fail(ErrorCode::kInvalidArgument, "{}:{}:{}: {}", source, at.line, at.column,
         error.description());
  }
}

}  // namespace lathe
