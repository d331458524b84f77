#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/explain.h"
#include "lathe/base/format.h"
#include "lathe/base/nearest.h"
#include "lathe/base/tree.h"

namespace lathe {
namespace {

using Kind = Tree::Kind;

struct Problem {
  int line, column;
  std::string text;
};

struct Unknown {
  std::string path;
  int line, column;
  std::vector<std::string> siblings;  // keys that this table does have
};

/// What all readers of one document share.
struct Findings {
  std::vector<Problem> problems;
  std::vector<Unknown> unknown;
};

bool convert(const Tree& node, bool& value) {
  value = node.boolean;
  return node.kind == Kind::boolean;
}

bool convert(const Tree& node, std::int64_t& value) {
  if (node.kind == Kind::real && std::trunc(node.real) == node.real && std::abs(node.real) < 0x1p63)
    value = static_cast<std::int64_t>(node.real);  // 1e9 is an integer too
  else if (node.kind == Kind::integer)
    value = node.integer;
  else
    return false;
  return true;
}

bool convert(const Tree& node, double& value) {
  if (node.kind == Kind::real) {
    value = node.real;
    return true;
  }
  value = static_cast<double>(node.integer);
  const bool exact = value < 0x1p63 && static_cast<std::int64_t>(value) == node.integer;
  return node.kind == Kind::integer && exact;
}

bool convert(const Tree& node, std::string& value) {
  value = node.text;
  return node.kind == Kind::string || node.bare;
}

std::string_view wanted(bool) { return "true or false"; }
std::string_view wanted(std::int64_t) { return "an integer"; }
std::string_view wanted(double) { return "a number"; }
std::string_view wanted(const std::string&) { return "a string"; }

std::string violation(const Constraint& c, double value) {
  if (value >= c.low && value <= c.high) return "";
  const std::string range = describe(c);
  return range.empty() ? "expected a finite number" : "expected " + range;
}
std::string violation(const Constraint&, bool) { return ""; }
std::string violation(const Constraint& c, std::int64_t value) {
  return violation(c, static_cast<double>(value));
}
std::string violation(const Constraint& c, const std::string& value) {
  const auto& all = c.choices;
  if (all.empty() || std::find(all.begin(), all.end(), value) != all.end()) return "";
  return "expected " + describe(c);
}

std::string suggestion(const Constraint& c, const Tree& node) {
  return c.choices.empty() ? "" : did_you_mean(node.text, c.choices);
}

class Reader final : public Fields {
 public:
  Reader(const Tree& table, std::string path, Findings& findings)
      : table_(table), path_(std::move(path)), findings_(findings) {}

  void read(const FieldsOf& fields) {
    fields(*this);
    for (std::size_t i = 0; i < table_.keys.size(); ++i) {
      const std::string& key = table_.keys[i];
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const Tree& node = table_.items[i];
      findings_.unknown.push_back({path_of(key), node.key_line, node.key_column, known_});
    }
  }

 protected:
  void visit(const FieldInfo& f, bool& v) override { scalar(f, v); }
  void visit(const FieldInfo& f, std::int64_t& v) override { scalar(f, v); }
  void visit(const FieldInfo& f, double& v) override { scalar(f, v); }
  void visit(const FieldInfo& f, std::string& v) override { scalar(f, v); }
  void visit(const FieldInfo& f, std::vector<std::int64_t>& v) override { list(f, v); }
  void visit(const FieldInfo& f, std::vector<double>& v) override { list(f, v); }
  void visit(const FieldInfo& f, std::vector<std::string>& v) override { list(f, v); }

  void visit_table(const FieldInfo& f, bool* present,
                   const std::function<void(Fields&)>& inside) override {
    const Tree* node = take(f.name);
    if (node == nullptr) return;
    if (present != nullptr) *present = node->kind != Kind::null;
    if (present != nullptr && node->kind == Kind::null) return;
    if (node->kind != Kind::table) return wrong(*node, path_of(f.name), "a table");
    Reader(*node, path_of(f.name), findings_).read(inside);
  }

  void visit_tables(const FieldInfo& f, std::size_t, const std::function<void(std::size_t)>& resize,
                    const std::function<void(std::size_t, Fields&)>& at) override {
    const Tree* node = take(f.name);
    if (node == nullptr) return;
    const std::string path = path_of(f.name);
    if (node->implied)
      return problem(*node, path,
                     fmt::format("is a list; set it whole: --set '{}=[{{...}}, ...]'", path));
    resize(0);  // so that new elements start from their defaults
    if (node->kind != Kind::array) {
      resize(1);
      return element(*node, path, [&](Fields& fields) { at(0, fields); });
    }
    resize(node->items.size());
    for (std::size_t i = 0; i < node->items.size(); ++i)
      element(node->items[i], fmt::format("{}[{}]", path, i),
              [&](Fields& fields) { at(i, fields); });
  }

  void visit_optional(const FieldInfo& f, bool& present,
                      const std::function<void(Fields&)>& value) override {
    const Tree* node = take(f.name);
    if (node == nullptr) return;
    present = node->kind != Kind::null;
    if (present) value(*this);
  }

 private:
  std::string path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }

  const Tree* take(std::string_view name) {
    if (known_.empty() || known_.back() != name) known_.emplace_back(name);
    return table_.find(name);
  }

  void problem(const Tree& at, const std::string& path, const std::string& text) {
    findings_.problems.push_back({at.line, at.column, fmt::format("{}: {}", path, text)});
  }

  void wrong(const Tree& found, const std::string& path, std::string_view expected) {
    problem(found, path, fmt::format("expected {}, found {}", expected, describe(found)));
  }

  template <typename T>
  void one(const Tree& node, const std::string& path, const Constraint& constraint, T& value) {
    T read{};
    if (!convert(node, read)) return wrong(node, path, wanted(read));
    const std::string text = violation(constraint, read);
    if (!text.empty())
      return problem(
          node, path,
          fmt::format("{}, found {}{}", text, describe(node), suggestion(constraint, node)));
    value = std::move(read);
  }

  template <typename T>
  void scalar(const FieldInfo& f, T& value) {
    if (const Tree* node = take(f.name)) one(*node, path_of(f.name), f.constraint, value);
  }

  template <typename T>
  void list(const FieldInfo& f, std::vector<T>& values) {
    const Tree* node = take(f.name);
    if (node == nullptr) return;
    const std::string path = path_of(f.name);
    if (node->kind != Kind::array) {  // a single value stands for a list of one
      values.resize(1);
      return one(*node, path, f.constraint, values[0]);
    }
    values.assign(node->items.size(), T{});
    for (std::size_t i = 0; i < values.size(); ++i)
      one(node->items[i], fmt::format("{}[{}]", path, i), f.constraint, values[i]);
  }

  /// An element of a list of tables. A plain string stands for a table with only the first key.
  void element(const Tree& node, const std::string& path, const FieldsOf& fields) {
    if (node.kind == Kind::table) return Reader(node, path, findings_).read(fields);
    const std::vector<KeyInfo> keys = list_keys(fields);
    const bool short_form = !keys.empty() && keys[0].type == "string";
    if (!short_form || (node.kind != Kind::string && !node.bare))
      return wrong(node, path, short_form ? "a string or a table" : "a table");
    Tree table = Tree::table();
    table.add(keys[0].name, node);
    Reader(table, path, findings_).read(fields);
  }

  const Tree& table_;
  std::string path_;
  Findings& findings_;
  std::vector<std::string> known_;
};

std::string unknown_text(const Unknown& unknown, const std::vector<KeyInfo>& keys) {
  const std::string meant = nearest_key(unknown.path, keys);
  if (!meant.empty())
    return fmt::format("unknown key '{}'; did you mean '{}'?", unknown.path, meant);
  return fmt::format("unknown key '{}'; the keys here are {}", unknown.path,
                     fmt::join(unknown.siblings, ", "));
}

std::string place(std::string_view source, int line, int column) {
  return line > 0 ? fmt::format("{}:{}:{}", source, line, column) : std::string(source);
}

}  // namespace

void read_tree(const Tree& root, std::string_view source, const FieldsOf& fields) {
  if (root.kind != Kind::table)
    fail(ErrorCode::kInvalidArgument, "{}: expected a table, found {}", source, describe(root));
  Findings findings;
  Reader(root, "", findings).read(fields);
  auto& problems = findings.problems;
  if (!findings.unknown.empty()) {
    const std::vector<KeyInfo> keys = list_keys(fields);
    for (const Unknown& unknown : findings.unknown)
      problems.push_back({unknown.line, unknown.column, unknown_text(unknown, keys)});
  }
  if (problems.empty()) return;
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  constexpr std::size_t kMost = 20;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(problems.size(), kMost); ++i)
    lines.push_back(place(source, problems[i].line, problems[i].column) + ": " + problems[i].text);
  if (problems.size() > kMost)
    lines.push_back(fmt::format("{}: and {} more", source, problems.size() - kMost));
  fail(ErrorCode::kInvalidArgument, "{}", fmt::join(lines, "\n"));
}

}  // namespace lathe
