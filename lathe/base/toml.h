// Configuration files: strict TOML to and from structs with fields() (base/fields.h).
//
// - A key that is absent keeps the value the struct has. An unknown key, a value of a wrong type,
// out
//   of range or not among the choices is an error with file, line, column and the nearest name.
// - `extends = "base.toml"` (relative to the file) is read first, then the file on top of it.
// Tables
//   merge key by key, lists are replaced.
// - In a list of tables a plain string stands for a table with only the first key, and a single
//   string or table for a list of one: train = ["a.txt", {path = "b.txt", weight = 2}].
// - 1e9 is an integer where one is expected; an integer is a number where one is expected, if a
//   double holds it exactly.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/fields.h"
#include "lathe/base/files.h"
#include "lathe/base/tree.h"

namespace lathe {

/// Throws kInvalidArgument with every mistake, a line each; kNotFound or kIo where a file cannot be
/// read. On an error the config is unchanged (also for the functions below).
template <HasFields T>
void read_toml(const std::string& path, T& config, const FileSystem& files = real_files());

/// From text in memory; `source` stands in messages where the file name would. No `extends`.
template <HasFields T>
void read_toml_text(std::string_view text, std::string_view source, T& config);

/// Each override is "key.path=value" with a value in TOML syntax; a value that is none is taken as
/// a string ("data.train=a.txt"), and so is a bare number where a string is expected.
template <HasFields T>
void apply_overrides(const std::vector<std::string>& overrides, T& config);

/// All keys with their values; read_toml_text gives back an equal struct, bit for bit, except that
/// an absent optional key cannot override a default that is present.
template <HasFields T>
std::string write_toml(const T& config);

// The same without types, compiled once.

void read_toml_file(const std::string& path, const FieldsOf& fields, const FileSystem& files);
void read_toml_tree(std::string_view text, std::string_view source, const FieldsOf& fields);
void apply_override(std::string_view override_text, const FieldsOf& fields);

/// Throws kInvalidArgument "source:line:column: what is wrong". Never crashes, whatever the bytes.
Tree parse_toml(std::string_view text, std::string_view source);

/// REQUIRES: a table.
std::string print_toml(const Tree& table);

/// One value on one line.
std::string toml_value(const Tree& value);

template <HasFields T>
void read_toml(const std::string& path, T& config, const FileSystem& files) {
  T copy = config;
  read_toml_file(path, fields_of(copy), files);
  config = std::move(copy);
}

template <HasFields T>
void read_toml_text(std::string_view text, std::string_view source, T& config) {
  T copy = config;
  read_toml_tree(text, source, fields_of(copy));
  config = std::move(copy);
}

template <HasFields T>
void apply_overrides(const std::vector<std::string>& overrides, T& config) {
  T copy = config;
  for (const std::string& text : overrides) apply_override(text, fields_of(copy));
  config = std::move(copy);
}

template <HasFields T>
std::string write_toml(const T& config) {
  T copy = config;
  return print_toml(write_tree(fields_of(copy)));
}

}  // namespace lathe
