#include "lathe/base/toml.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "lathe/base/error.h"
#include "lathe/base/format.h"

namespace lathe {
namespace {

constexpr std::size_t kMostExtends = 16;

std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

/// Takes `extends` out of the table.
std::string take_extends(Tree& root, const std::string& path) {
  const auto key = std::find(root.keys.begin(), root.keys.end(), "extends");
  if (key == root.keys.end()) return "";
  const auto item = root.items.begin() + (key - root.keys.begin());
  if (item->kind != Tree::Kind::string)
    fail(ErrorCode::kInvalidArgument, "{}:{}:{}: extends: expected the path of a file, found {}",
         path, item->line, item->column, describe(*item));
  const std::string base = item->text;
  root.items.erase(item);
  root.keys.erase(key);
  return join_path(parent_path(path), base);
}

struct FileReader {
  const FieldsOf& fields;
  const FileSystem& files;
  std::vector<std::string> open;  // files whose `extends` is being followed

  void read(const std::string& path) {
    if (std::find(open.begin(), open.end(), normal(path)) != open.end())
      fail(ErrorCode::kInvalidArgument, "{}: extends itself, through {}", open.front(), path);
    if (open.size() >= kMostExtends)
      fail(ErrorCode::kInvalidArgument, "{}: more than {} files extend each other", open.front(),
           kMostExtends);
    Tree root = parse_toml(files.read_all(path), path);
    const std::string base = take_extends(root, path);
    if (!base.empty()) {
      open.push_back(normal(path));
      read_base(path, base);
      open.pop_back();
    }
    read_tree(root, path, fields);
  }

  void read_base(const std::string& path, const std::string& base) {
    try {
      read(base);
    } catch (Error& error) {
      if (error.code() == ErrorCode::kNotFound) error.within(path + ": extends");
      throw;
    }
  }
};

bool is_bare_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string key_text(const std::string& key) { return is_bare_key(key) ? key : toml_string(key); }

bool is_list_of_tables(const Tree& value) {
  return value.kind == Tree::Kind::array && !value.items.empty() &&
         value.items[0].kind == Tree::Kind::table;
}

/// TOML has the plain keys of a table first, then its tables under headers with full paths.
void print(const Tree& table, const std::string& prefix, std::string& out) {
  for (std::size_t i = 0; i < table.items.size(); ++i) {
    const Tree& value = table.items[i];
    if (value.kind == Tree::Kind::table || is_list_of_tables(value)) continue;
    if (value.kind == Tree::Kind::null) continue;
    out += fmt::format("{} = {}\n", key_text(table.keys[i]), toml_value(value));
  }
  for (std::size_t i = 0; i < table.items.size(); ++i) {
    const Tree& value = table.items[i];
    const std::string path = prefix + key_text(table.keys[i]);
    if (value.kind == Tree::Kind::table) {
      out += fmt::format("\n[{}]\n", path);
      print(value, path + ".", out);
    }
    if (!is_list_of_tables(value)) continue;
    for (const Tree& element : value.items) {
      out += fmt::format("\n[[{}]]\n", path);
      print(element, path + ".", out);
    }
  }
}

/// The value of an override. What TOML refuses is a string, unless it was meant to be TOML.
Tree override_value(std::string_view text, const std::string& source) {
  const std::string typed(text);
  const bool is_toml = !text.empty() && std::string_view("[{\"'").find(text[0]) != text.npos;
  try {
    Tree root = parse_toml("v = " + typed, source);
    if (root.items.size() == 1 && root.keys[0] == "v") {
      Tree value = std::move(root.items[0]);
      if (value.kind != Tree::Kind::string) value.text = typed;
      const bool composed = value.kind == Tree::Kind::array || value.kind == Tree::Kind::table;
      value.bare = value.kind != Tree::Kind::string && !composed;
      value.line = 0;
      return value;
    }
  } catch (const Error&) {
    if (is_toml) throw;
  }
  parse_toml("v = " + toml_string(typed), source);  // refuses bytes that are not UTF-8
  return Tree::of(typed);
}

void forget_positions(Tree& tree) {
  tree.line = tree.key_line = 0;
  for (Tree& item : tree.items) forget_positions(item);
}

}  // namespace

void read_toml_file(const std::string& path, const FieldsOf& fields, const FileSystem& files) {
  FileReader{fields, files, {}}.read(path);
}

void read_toml_tree(std::string_view text, std::string_view source, const FieldsOf& fields) {
  read_tree(parse_toml(text, source), source, fields);
}

void apply_override(std::string_view override_text, const FieldsOf& fields) {
  const std::string source = fmt::format("--set {}", override_text);
  const std::size_t equals = override_text.find('=');
  if (equals == std::string_view::npos)
    fail(ErrorCode::kInvalidArgument, "{}: expected key=value, for example train.context=512",
         source);
  const auto trimmed = [](std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == text.npos) return std::string_view();
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
  };
  Tree tree = override_value(trimmed(override_text.substr(equals + 1)), source);
  forget_positions(tree);
  std::string key(trimmed(override_text.substr(0, equals)));
  if (std::count(key.begin(), key.end(), '.') > 64)
    fail(ErrorCode::kInvalidArgument, "{}: expected a key of at most 64 parts", source);
  while (true) {  // from the last part of the key outwards
    const std::size_t dot = key.rfind('.');
    const std::string part = dot == std::string::npos ? key : key.substr(dot + 1);
    if (!is_bare_key(part))
      fail(ErrorCode::kInvalidArgument, "{}: expected a key such as train.context, got '{}'",
           source, trimmed(override_text.substr(0, equals)));
    Tree outer = Tree::table();
    outer.implied = true;
    outer.add(part, std::move(tree));
    tree = std::move(outer);
    if (dot == std::string::npos) break;
    key.resize(dot);
  }
  read_tree(tree, source, fields);
}

std::string print_toml(const Tree& table) {
  std::string out;
  print(table, "", out);
  return out.starts_with('\n') ? out.substr(1) : out;
}

std::string toml_value(const Tree& value) {
  switch (value.kind) {
    case Tree::Kind::boolean:
      return value.boolean ? "true" : "false";
    case Tree::Kind::integer:
      return fmt::format("{}", value.integer);
    case Tree::Kind::real:
      return shortest(value.real);
    case Tree::Kind::string:
      return toml_string(value.text);
    case Tree::Kind::date:
      return value.text;
    case Tree::Kind::null:
      return "\"\"";
    default:
      break;
  }
  const bool array = value.kind == Tree::Kind::array;
  std::string out;
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (i > 0) out += ", ";
    if (!array) out += key_text(value.keys[i]) + " = ";
    out += toml_value(value.items[i]);
  }
  return array ? "[" + out + "]" : "{" + out + "}";
}

}  // namespace lathe
