// The only file of base that includes nlohmann-json.
#include "lathe/base/json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "lathe/base/error.h"

namespace lathe {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kDeepest = 200;

/// Builds the Tree while nlohmann-json reads, so that depth is limited before memory is spent.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Tree root;
  std::string problem;
  std::size_t offset = 0;  // of the problem

  bool null() override { return put(Tree()); }
  bool boolean(bool value) override { return put(Tree::of(value)); }
  bool number_integer(number_integer_t value) override { return put(Tree::of(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr auto kMost = static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
    if (value <= kMost) return put(Tree::of(static_cast<std::int64_t>(value)));
    return put(Tree::of(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override { return put(Tree::of(value)); }
  bool string(string_t& value) override { return put(Tree::of(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Tree::table()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override {
    Tree list;
    list.kind = Tree::Kind::array;
    return open(std::move(list));
  }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    open_.back().key = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string_view text = error.what();  // "[json.exception...] parse error at ...: reason"
    const std::size_t reason = text.find(": ");
    problem = reason == text.npos ? text : text.substr(reason + 2);
    offset = position == 0 ? 0 : position - 1;
    return false;
  }

 private:
  bool put(Tree value) {
    if (open_.empty()) {
      root = std::move(value);
      return true;
    }
    Tree& parent = open_.back().tree;
    if (parent.kind == Tree::Kind::table) parent.keys.push_back(open_.back().key);
    parent.items.push_back(std::move(value));
    return true;
  }

  bool open(Tree value) {
    if (open_.size() >= kDeepest) {
      problem = fmt::format("nested more than {} deep", kDeepest);
      return false;
    }
    open_.push_back({std::move(value), ""});
    return true;
  }

  bool close() {
    Tree done = std::move(open_.back().tree);
    open_.pop_back();
    return put(std::move(done));
  }

  struct Level {
    Tree tree;
    std::string key;  // under which the value being read will be put
  };
  std::vector<Level> open_;
};

Json json_of(const Tree& tree) {
  switch (tree.kind) {
    case Tree::Kind::null:
      return nullptr;
    case Tree::Kind::boolean:
      return tree.boolean;
    case Tree::Kind::integer:
      return tree.integer;
    case Tree::Kind::real:
      return tree.real;
    case Tree::Kind::string:
    case Tree::Kind::date:
      return tree.text;
    case Tree::Kind::array: {
      Json list = Json::array();
      for (const Tree& item : tree.items) list.push_back(json_of(item));
      return list;
    }
    case Tree::Kind::table:
      break;
  }
  Json object = Json::object();
  for (std::size_t i = 0; i < tree.items.size(); ++i) object[tree.keys[i]] = json_of(tree.items[i]);
  return object;
}

}  // namespace

Tree parse_json(std::string_view text, std::string_view source) {
  Builder builder;
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
  const std::string_view before = text.substr(0, std::min(builder.offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  fail(ErrorCode::kInvalidArgument, "{}:{}:{}: {}", source, line, column, builder.problem);
}

std::string print_json(const Tree& tree, int indent) {
  return json_of(tree).dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lathe
