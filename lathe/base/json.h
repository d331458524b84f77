// Structs with fields() as JSON: --json output, state files, HTTP bodies.
#pragma once

#include <string>
#include <string_view>

#include "lathe/base/fields.h"
#include "lathe/base/tree.h"

namespace lathe {

/// Throws kInvalidArgument "source:line:column: what is wrong". Never crashes, whatever the bytes;
/// nesting is limited to 200.
Tree parse_json(std::string_view text, std::string_view source);

/// Members in order; doubles in the shortest form that reads back exactly, those that are not
/// finite as null; bytes that are not UTF-8 replaced. `indent` spaces a level, on one line if
/// negative.
std::string print_json(const Tree& tree, int indent = -1);

/// The same rules as read_toml_text; null leaves an optional member absent.
template <HasFields T>
void read_json(std::string_view text, std::string_view source, T& value) {
  T copy = value;
  read_tree(parse_json(text, source), source, fields_of(copy));
  value = std::move(copy);
}

template <HasFields T>
std::string write_json(const T& value, int indent = -1) {
  T copy = value;
  return print_json(write_tree(fields_of(copy)), indent);
}

}  // namespace lathe
