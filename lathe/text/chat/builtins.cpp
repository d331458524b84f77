// Arguments of builtins, the tables, and the global functions.
#include "lathe/text/chat/builtins.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "lathe/base/error.h"
#include "lathe/text/chat/strftime.h"

namespace lathe::chat {
namespace {

using Table = std::unordered_map<std::string_view, Builtin>;

Table table_of(std::initializer_list<void (*)(BuiltinList&)> parts) {
  BuiltinList list;
  for (const auto part : parts) part(list);
  return Table(list.begin(), list.end());
}

Builtin find_in(const Table& table, std::string_view name) {
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

constexpr std::int64_t kMostOfRange = 100'000;             // as in jinja2's sandbox
constexpr std::int64_t kFarthest = std::int64_t{1} << 52;  // from 0

Value global_range(Machine& machine, const Value&, Arguments& arguments) {
  const Bound bound(arguments, {"start", "stop", "step"}, 1);
  const bool one = !bound.has(1);
  const std::int64_t start = one ? 0 : bound.integer(0, 0), step = bound.integer(2, 1);
  const std::int64_t stop = bound.integer(one ? 0 : 1, 0);
  if (step == 0) type_error("range() arg 3 must not be zero");
  if (std::max({std::llabs(start), std::llabs(stop), std::llabs(step)}) > kFarthest)
    type_error("Range too big");
  RangeObject range;
  range.start = start, range.stop = stop, range.step = step;
  if (range.size() > kMostOfRange)
    type_error(fmt::format("Range too big: more than {} items", kMostOfRange));
  return machine.heap().range(start, stop, step);
}

std::vector<std::pair<Value, Value>> pairs_of(Machine& machine, const Value& source) {
  if (source.is(Kind::dict)) return source.as<DictObject>().items;
  std::vector<std::pair<Value, Value>> pairs;
  for (const Value& item : machine.iterate(source)) {
    const std::vector<Value> parts = machine.iterate(item);
    if (parts.size() != 2) type_error("dict() needs pairs of a key and a value");
    pairs.emplace_back(parts[0], parts[1]);
  }
  return pairs;
}

std::vector<std::pair<Value, Value>> dict_items(Machine& machine, const Arguments& arguments) {
  if (arguments.positional.size() > 1) type_error("expected at most 1 argument");
  std::vector<std::pair<Value, Value>> items;
  if (!arguments.positional.empty()) items = pairs_of(machine, arguments.positional[0]);
  for (const auto& [name, value] : arguments.named)
    items.emplace_back(machine.heap().text(name), value);
  return items;
}

Value global_dict(Machine& machine, const Value&, Arguments& arguments) {
  return machine.heap().dict(dict_items(machine, arguments));
}

Value global_namespace(Machine& machine, const Value&, Arguments& arguments) {
  Namespace& space = machine.make_namespace();
  const Value dict = machine.heap().dict(dict_items(machine, arguments));
  for (const auto& [name, value] : dict.as<DictObject>().items) {
    const std::string& key = need_text(name, "the name of an attribute").bytes();
    if (key.starts_with('_'))
      type_error("an attribute of a namespace cannot begin with an underscore");
    machine.heap().keep(key.size() + sizeof(Value) + 32);
    space.attributes.emplace_back(key, value);
  }
  return Value::of(space);
}

/// An object of cycler(): called through its methods, see find_method.
Value no_call(Machine&, const Value&, Arguments&) { type_error("'Cycler' object is not callable"); }

Value global_cycler(Machine& machine, const Value&, Arguments& arguments) {
  if (arguments.positional.empty()) type_error("at least one item has to be provided");
  return machine.heap().function("cycler object", no_call,
                                 machine.heap().list(arguments.positional), true);
}

Value join_once(Machine& machine, const Value& self, Arguments&) {
  // The first call gives nothing, all others the separator.
  const auto& joiner = self.as<FunctionObject>();
  return joiner.state++ == 0 ? machine.heap().text("") : joiner.self;
}

Value global_joiner(Machine& machine, const Value&, Arguments& arguments) {
  const Bound bound(arguments, {"sep"});
  const Value separator = bound.has(0) ? bound.value(0) : machine.heap().text(", ");
  return machine.heap().function("joiner object", join_once, separator, true);
}

Value raise_exception(Machine& machine, const Value&, Arguments& arguments) {
  const Bound bound(arguments, {"message"}, 1);
  machine.heap().visit(*bound.get(0));
  fail(ErrorCode::kInvalidArgument, "the template refuses this: {}",
       text_of(bound.value(0)).view());
}

Value strftime_now(Machine& machine, const Value&, Arguments& arguments) {
  const Bound bound(arguments, {"format"}, 1);
  return machine.heap().text(
      format_time(need_text(bound.value(0), "the format of a time").view(), machine.now()));
}

Value cycler_next(Machine&, const Value& self, Arguments&) {
  const auto& cycler = self.as<FunctionObject>();
  const auto& items = cycler.self.items();
  return items[cycler.state++ % items.size()];
}

Value cycler_reset(Machine&, const Value& self, Arguments&) {
  self.as<FunctionObject>().state = 0;
  return Value::none();
}

}  // namespace

Builtin find_filter(std::string_view name) {
  static const Table table =
      table_of({add_text_filters, add_list_filters, add_number_filters, add_select_filters});
  return find_in(table, name);
}

Builtin find_test(std::string_view name) {
  static const Table table = table_of({add_tests});
  return find_in(table, name);
}

Builtin find_global(std::string_view name) {
  static const Table table = {{"range", global_range},         {"dict", global_dict},
                              {"namespace", global_namespace}, {"cycler", global_cycler},
                              {"joiner", global_joiner},       {"raise_exception", raise_exception},
                              {"strftime_now", strftime_now}};
  return find_in(table, name);
}

Builtin find_method(const Value& value, std::string_view name) {
  static const Table of_text = table_of({add_text_methods, add_text_queries});
  static const Table of_dict = table_of({add_dict_methods});
  static const Table of_list = table_of({add_list_methods});
  static const Table of_tuple = table_of({add_tuple_methods});
  switch (value.kind()) {
    case Kind::text:
      return find_in(of_text, name);
    case Kind::dict:
      return find_in(of_dict, name);
    case Kind::list:
      return find_in(of_list, name);
    case Kind::tuple:
      return find_in(of_tuple, name);
    case Kind::function:
      if (value.as<FunctionObject>().name != "cycler object") return nullptr;
      return name == "next" ? cycler_next : (name == "reset" ? cycler_reset : nullptr);
    default:
      return nullptr;
  }
}

Bound::Bound(const Arguments& arguments, std::initializer_list<std::string_view> names,
             std::size_t required)
    : names_(names), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names_.size())
    type_error(fmt::format("expected at most {} argument(s), got {}", names_.size(),
                           arguments.positional.size()));
  for (std::size_t i = 0; i < arguments.positional.size(); ++i)
    values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) type_error(fmt::format("no argument is named '{}'", name));
    const Value*& slot = values_[static_cast<std::size_t>(at - names_.begin())];
    if (slot != nullptr) type_error(fmt::format("the argument '{}' is given twice", name));
    slot = &value;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (values_[i] == nullptr) type_error(fmt::format("the argument '{}' is missing", names_[i]));
}

std::int64_t Bound::integer(std::size_t index, std::int64_t otherwise) const {
  return has(index) ? need_integer(*values_[index]) : otherwise;
}

void type_error(std::string_view message) { fail(ErrorCode::kInvalidArgument, "{}", message); }

void undefined_error(const Value& value) {
  if (value.object() == nullptr) type_error("a value is undefined");
  type_error(value.as<UndefinedObject>().message);
}

Text text_of(const Value& value) { return to_text(value); }

const Text& need_text(const Value& value, std::string_view what) {
  if (value.is_undefined() && value.object() != nullptr) undefined_error(value);
  if (!value.is_text()) type_error(fmt::format("{} must be a str, not {}", what, type_name(value)));
  return value.text();
}

std::int64_t need_integer(const Value& value) {
  if (value.is_undefined() && value.object() != nullptr) undefined_error(value);
  if (!value.is_integral())
    type_error(fmt::format("'{}' object cannot be interpreted as an integer", type_name(value)));
  return value.integer();
}

}  // namespace lathe::chat
