// Filters, tests, methods and global functions of templates, by name.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/text/chat/machine.h"
#include "lathe/text/chat/value.h"

namespace lathe::chat {

/// The functions below are null or undefined for names that do not exist.
Builtin find_filter(std::string_view name);
Builtin find_test(std::string_view name);
/// range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
Builtin find_global(std::string_view name);
/// The method of a str, dict, list or tuple.
Builtin find_method(const Value& value, std::string_view name);

using BuiltinList = std::vector<std::pair<std::string_view, Builtin>>;

// Parts of the tables, one a file.
void add_text_filters(BuiltinList& table);
void add_list_filters(BuiltinList& table);
void add_number_filters(BuiltinList& table);
void add_select_filters(BuiltinList& table);
void add_tests(BuiltinList& table);
void add_text_methods(BuiltinList& table);
void add_text_queries(
    BuiltinList& table);  // methods that answer about a str: isalpha(), find(), ...
void add_dict_methods(BuiltinList& table);
void add_list_methods(BuiltinList& table);
void add_tuple_methods(BuiltinList& table);

/// Arguments by name, in the order of a signature. Throws, as Python does, for too many, for an
/// unknown name and for one that is given twice.
class Bound {
 public:
  Bound(const Arguments& arguments, std::initializer_list<std::string_view> names,
        std::size_t required = 0);

  /// Null where it was not given.
  const Value* get(std::size_t index) const { return values_[index]; }
  bool has(std::size_t index) const { return values_[index] != nullptr; }
  /// The value, where not given or None: undefined.
  Value value(std::size_t index) const { return has(index) ? *values_[index] : Value(); }
  bool flag(std::size_t index, bool otherwise) const {
    return has(index) ? truth(*values_[index]) : otherwise;
  }
  /// Throws where it is not an int.
  std::int64_t integer(std::size_t index, std::int64_t otherwise) const;
  bool is_none(std::size_t index) const { return !has(index) || values_[index]->is_none(); }

 private:
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

/// Throws kInvalidArgument in Python's words.
[[noreturn]] void type_error(std::string_view message);
/// What an operation on an undefined value says.
[[noreturn]] void undefined_error(const Value& value);

/// The text of a str, or what str() makes of the rest.
Text text_of(const Value& value);
/// The text of a str; throws for the rest.
const Text& need_text(const Value& value, std::string_view what);
std::int64_t need_integer(const Value& value);

}  // namespace lathe::chat
