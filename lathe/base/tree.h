// The common form of TOML and JSON between their parsers and structs with fields().
//
// text --parse_toml / parse_json--> Tree --read_tree--> struct --write_tree--> Tree --> text
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/base/fields.h"

namespace lathe {

struct Tree {
  enum class Kind { null, boolean, integer, real, string, array, table, date };

  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;               // a string; a date as written; what was typed where `bare`
  std::vector<Tree> items;        // elements of an array, values of a table
  std::vector<std::string> keys;  // of a table, one for each item
  int line = 0, column = 0;       // of the value; 0: not known
  int key_line = 0, key_column = 0;
  bool bare = false;     // typed without quotes in --set: a string where a string is expected
  bool implied = false;  // a table that exists because of a dotted --set key

  static Tree of(bool value);
  static Tree of(std::int64_t value);
  static Tree of(double value);
  static Tree of(std::string value);
  template <typename T>
  static Tree of(const std::vector<T>& values) {
    Tree tree;
    tree.kind = Kind::array;
    for (const T& value : values) tree.items.push_back(of(value));
    return tree;
  }
  static Tree table();

  /// The value of a key of this table, or null.
  const Tree* find(std::string_view key) const;
  void add(std::string key, Tree value);
};

/// `string "abc"`, `integer 3`, `a table`: what a message says was found.
std::string describe(const Tree& value);

/// Sets the members that the table names and leaves the others. Throws kInvalidArgument with all
/// that is wrong, a line each, "source:line:column: key: expected X, found Y; hint". The members
/// are then partly set.
void read_tree(const Tree& root, std::string_view source, const FieldsOf& fields);

/// All members, in their order; absent optional ones are left out.
Tree write_tree(const FieldsOf& fields);

}  // namespace lathe
