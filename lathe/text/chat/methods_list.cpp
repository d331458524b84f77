// Methods of dict, list and tuple. Those that would change the object are refused, as in jinja2's
// immutable sandbox.
#include <fmt/core.h>

#include <algorithm>

#include "lathe/text/chat/builtins.h"

namespace lathe::chat {
namespace {

Value get(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"key", "default"}, 1);
  machine.heap().work(bound.get(0)->weight());
  hash(*bound.get(0));  // throws for what is no key
  if (const Value* found = self.as<DictObject>().find(*bound.get(0))) return *found;
  return bound.has(1) ? *bound.get(1) : Value::none();
}

template <ViewObject::Of of>
Value view(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return machine.heap().view(self, of);
}

Value copy(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  machine.heap().step();
  return self;
}

Value index(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"value", "start"}, 1);
  const auto& items = self.items();
  const auto size = static_cast<std::int64_t>(items.size());
  std::int64_t at = bound.integer(1, 0);
  if (at < 0) at = std::max<std::int64_t>(0, at + size);
  for (; at < size; ++at) {
    const Value& item = items[static_cast<std::size_t>(at)];
    machine.heap().compare(item, *bound.get(0));
    if (equal(item, *bound.get(0))) return Value::of(at);
  }
  type_error("the value is not in the list");
}

Value count(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"value"}, 1);
  std::int64_t found = 0;
  for (const Value& item : self.items()) {
    machine.heap().compare(item, *bound.get(0));
    found += equal(item, *bound.get(0));
  }
  return Value::of(found);
}

}  // namespace

// `append`, `pop`, `update` and the other methods that change their object are not here: they are
// undefined, as for jinja2's sandbox, and fail when they are called.
void add_dict_methods(BuiltinList& table) {
  table.insert(table.end(), {{"get", get},
                             {"items", view<ViewObject::Of::items>},
                             {"keys", view<ViewObject::Of::keys>},
                             {"values", view<ViewObject::Of::values>},
                             {"copy", copy}});
}

void add_list_methods(BuiltinList& table) {
  table.insert(table.end(), {{"index", index}, {"count", count}, {"copy", copy}});
}

void add_tuple_methods(BuiltinList& table) {
  table.insert(table.end(), {{"index", index}, {"count", count}});
}

}  // namespace lathe::chat
