#include "lathe/base/explain.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/nearest.h"
#include "lathe/base/toml.h"
#include "lathe/base/tree.h"

namespace lathe {
namespace {

class Lister final : public Fields {
 public:
  Lister(std::string prefix, std::vector<KeyInfo>& keys)
      : prefix_(std::move(prefix)), keys_(keys) {}

 protected:
  void visit(const FieldInfo& f, bool& v) override { add(f, "true or false", v); }
  void visit(const FieldInfo& f, std::int64_t& v) override { add(f, "integer", v); }
  void visit(const FieldInfo& f, double& v) override { add(f, "number", v); }
  void visit(const FieldInfo& f, std::string& v) override { add(f, "string", v); }
  void visit(const FieldInfo& f, std::vector<std::int64_t>& v) override {
    add(f, "list of integers", v);
  }
  void visit(const FieldInfo& f, std::vector<double>& v) override { add(f, "list of numbers", v); }
  void visit(const FieldInfo& f, std::vector<std::string>& v) override {
    add(f, "list of strings", v);
  }

  void visit_table(const FieldInfo& f, bool* present,
                   const std::function<void(Fields&)>& inside) override {
    add_table(f, present == nullptr ? "table" : "table, may be absent");
    Lister lister(path_of(f.name) + ".", keys_);
    inside(lister);
  }

  void visit_tables(const FieldInfo& f, std::size_t size,
                    const std::function<void(std::size_t)>& resize,
                    const std::function<void(std::size_t, Fields&)>& at) override {
    add_table(f, "list of tables");
    Lister lister(path_of(f.name) + "[].", keys_);
    if (size == 0) resize(1);
    at(0, lister);
    if (size == 0) resize(0);
  }

  void visit_optional(const FieldInfo&, bool& present,
                      const std::function<void(Fields&)>& value) override {
    value(*this);
    keys_.back().type += ", may be absent";
    if (!present) keys_.back().default_text.clear();
  }

 private:
  std::string path_of(std::string_view name) const { return prefix_ + std::string(name); }

  template <typename T>
  void add(const FieldInfo& f, std::string type, const T& value) {
    keys_.push_back({.path = path_of(f.name),
                     .name = std::string(f.name),
                     .type = std::move(type),
                     .help = std::string(f.help),
                     .default_text = toml_value(Tree::of(value)),
                     .constraint = f.constraint});
  }

  void add_table(const FieldInfo& f, std::string type) {
    keys_.push_back({.path = path_of(f.name),
                     .name = std::string(f.name),
                     .type = std::move(type),
                     .help = std::string(f.help),
                     .is_table = true});
  }

  std::string prefix_;
  std::vector<KeyInfo>& keys_;
};

std::string bound(double value) {
  if (std::trunc(value) == value && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

/// "data.train[3].path" and "data.train.path" alike become "data.train.path".
std::string plain(std::string_view path) {
  std::string text;
  bool inside = false;
  for (const char c : path) {
    if (c == '[') inside = true;
    if (!inside) text += c;
    if (c == ']') inside = false;
  }
  return text;
}

std::string table_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string leaf_of(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::string row(const KeyInfo& key, std::size_t width) {
  const std::string value = key.default_text.empty() ? "" : " = " + key.default_text;
  return fmt::format("  {:<{}}  {}\n", plain(key.path) + value, width, key.help);
}

std::string rows_of(const std::vector<KeyInfo>& keys, const std::string& table) {
  std::vector<KeyInfo> inside;
  for (const KeyInfo& key : keys)
    if (table_of(plain(key.path)) == table) inside.push_back(key);
  std::size_t width = 0;
  for (const KeyInfo& key : inside)
    width = std::max(width, plain(key.path).size() + key.default_text.size() + 3);
  std::string text;
  for (const KeyInfo& key : inside) text += row(key, std::min<std::size_t>(width, 44));
  return text;
}

}  // namespace

std::vector<KeyInfo> list_keys(const FieldsOf& fields) {
  std::vector<KeyInfo> keys;
  Lister lister("", keys);
  fields(lister);
  return keys;
}

std::string describe(const Constraint& c) {
  if (!c.choices.empty()) return fmt::format("one of {}", fmt::join(c.choices, ", "));
  const bool low = c.low > -Constraint::kNoBound, high = c.high < Constraint::kNoBound;
  if (low && high) return fmt::format("from {} to {}", bound(c.low), bound(c.high));
  if (low) return fmt::format("at least {}", bound(c.low));
  if (high) return fmt::format("at most {}", bound(c.high));
  return "";
}

std::string nearest_key(std::string_view path, const std::vector<KeyInfo>& keys) {
  const std::string written = plain(path);
  const std::string table = table_of(written), leaf = leaf_of(written);
  std::string best;
  double least = kTooFar;
  for (const KeyInfo& key : keys) {
    const std::string candidate = plain(key.path);
    const bool same_table = table_of(candidate) == table;
    double cost = name_distance(leaf, key.name) + (same_table ? 0 : 0.75);
    if (!written.starts_with(candidate + "."))
      cost = std::min(cost, name_distance(written, candidate) + 0.5);
    if (cost >= least) continue;
    least = cost;
    best = candidate;
  }
  return best;
}

std::string explain(const FieldsOf& fields, std::string_view key) {
  const std::vector<KeyInfo> keys = list_keys(fields);
  const std::string wanted = plain(key);
  if (wanted.empty()) return rows_of(keys, "");
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const KeyInfo& k) { return plain(k.path) == wanted; });
  if (found == keys.end()) {
    const std::string meant = nearest_key(key, keys);
    fail(
        ErrorCode::kNotFound, "no key '{}'{}", key,
        meant.empty() ? "; 'lathe explain' lists all" : fmt::format("; did you mean '{}'?", meant));
  }
  std::string text = fmt::format("{}: {}\n", wanted, found->help);
  if (found->is_table)
    return text + fmt::format("  type: {}\n", found->type) + rows_of(keys, wanted);
  const std::string allowed = describe(found->constraint);
  text += fmt::format("  type: {}{}{}\n", found->type, allowed.empty() ? "" : ", ", allowed);
  if (!found->default_text.empty()) text += fmt::format("  default: {}\n", found->default_text);
  return text;
}

}  // namespace lathe
