// What keys a struct with fields() has, and what they mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/fields.h"

namespace lathe {

struct KeyInfo {
  std::string path;  // "train.batch_tokens"; keys inside a list of tables: "data.train[].path"
  std::string name;  // its last part
  std::string type;  // "integer", "list of strings", "table", ...
  std::string help;
  std::string default_text;  // in TOML; "" for tables and for optional keys that are absent
  Constraint constraint;
  bool is_table = false;  // or a list of tables
};

/// Every key and table, in the order of fields(). The struct is left as it was; its values are
/// taken as the defaults.
std::vector<KeyInfo> list_keys(const FieldsOf& fields);

/// "at least 1", "from 0 to 1", "one of cosine, wsd", or "".
std::string describe(const Constraint& constraint);

/// Help, type, default and what is allowed, for a key; the keys inside, for a table; all top-level
/// keys and tables for "". Throws kNotFound with the nearest name for an unknown key.
std::string explain(const FieldsOf& fields, std::string_view key);

/// The key that somebody who wrote `path` may have meant, or "": near names in the same table, then
/// the same or near names in others.
std::string nearest_key(std::string_view path, const std::vector<KeyInfo>& keys);

}  // namespace lathe
