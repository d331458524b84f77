// Filters on lists and dicts. Source of what they do: jinja2 3.1 (filters).
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/filter_keys.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

Value length(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  switch (self.kind()) {
    case Kind::undefined:
      return Value::of(std::int64_t{0});
    case Kind::text:
      machine.heap().work(self.text().size());
      return Value::of(static_cast<std::int64_t>(count_characters(self.text().view())));
    case Kind::list:
    case Kind::tuple:
      return Value::of(static_cast<std::int64_t>(self.items().size()));
    case Kind::dict:
      return Value::of(static_cast<std::int64_t>(self.as<DictObject>().items.size()));
    case Kind::view:
      return length(machine, self.as<ViewObject>().dict, arguments);
    case Kind::range:
      return Value::of(self.as<RangeObject>().size());
    case Kind::loop:
      machine.has_item(self.loop(), std::numeric_limits<std::size_t>::max());
      return Value::of(static_cast<std::int64_t>(self.loop().items.size()));
    default:
      type_error(fmt::format("object of type '{}' has no len()", type_name(self)));
  }
}

Value list(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return machine.heap().list(machine.iterate(self));
}

Value first(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  if (self.is(Kind::generator)) {  // takes one and leaves the rest
    const auto& generator = self.as<GeneratorObject>();
    if (generator.next < generator.items.size()) return generator.items[generator.next++];
  } else {
    const std::vector<Value> items = machine.iterate(self);
    if (!items.empty()) return items.front();
  }
  return machine.heap().undefined("No first item, sequence was empty.");
}

Value last(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  if (self.is(Kind::generator)) type_error("'generator' object is not reversible");
  const std::vector<Value> items = machine.iterate(self);
  return items.empty() ? machine.heap().undefined("No last item, sequence was empty.")
                       : items.back();
}

Value join(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"d", "attribute"});
  Heap& heap = machine.heap();
  if (bound.has(0)) heap.visit(*bound.get(0));
  const Text separator = bound.has(0) ? to_text(*bound.get(0)) : Text();
  const AttributePath path(bound.is_none(1) ? Value() : *bound.get(1));
  Text out;
  bool is_first = true;
  for (const Value& item : machine.iterate(self)) {
    const Value value = path.get(machine, item);
    heap.visit(value);
    const Text part = to_text(value);
    heap.work(part.size() + separator.size());
    heap.check_text(out.size() + part.size() + separator.size());
    if (!is_first) out.append(separator);
    is_first = false;
    out.append(part);
  }
  return heap.text(std::move(out));
}

Value default_filter(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"default_value", "boolean"});
  const bool use = self.is_undefined() || (bound.flag(1, false) && !truth(self));
  if (!use) return self;
  return bound.has(0) ? *bound.get(0) : machine.heap().text("");
}

Value items(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  if (self.is_undefined()) return machine.heap().generator({});
  if (!self.is(Kind::dict)) type_error("Can only get item pairs from a mapping.");
  return machine.heap().generator(
      machine.iterate(machine.heap().view(self, ViewObject::Of::items)));
}

Value dictsort(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"case_sensitive", "by", "reverse"});
  if (self.is_undefined()) undefined_error(self);
  if (!self.is(Kind::dict))
    type_error(fmt::format("'{}' object has no attribute 'items'", type_name(self)));
  const std::string by = bound.has(1) ? need_text(*bound.get(1), "by").bytes() : "key";
  if (by != "key" && by != "value") type_error("You can only sort by either \"key\" or \"value\"");
  std::vector<SortItem> sorted;
  for (Value& pair : machine.iterate(machine.heap().view(self, ViewObject::Of::items))) {
    Value key = pair.items()[by == "value"];
    if (!bound.flag(0, false)) key = without_case(machine, key);
    sorted.push_back({{std::move(key)}, std::move(pair)});
  }
  return machine.heap().list(sort_items(machine, std::move(sorted), bound.flag(2, false)));
}

Value sort_filter(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  if (!bound.is_none(2) && bound.get(2)->is_text())
    for (const Text& part : split(bound.get(2)->text(), ",", -1))
      paths.emplace_back(machine.heap().text(part));
  else
    paths.emplace_back(bound.is_none(2) ? Value() : *bound.get(2));
  std::vector<SortItem> sorted;
  for (Value& item : machine.iterate(self)) {
    std::vector<Value> keys;
    for (const AttributePath& path : paths) {
      Value key = path.get(machine, item);
      keys.push_back(bound.flag(1, false) ? key : without_case(machine, key));
    }
    sorted.push_back({std::move(keys), std::move(item)});
  }
  return machine.heap().list(sort_items(machine, std::move(sorted), bound.flag(0, false)));
}

Value unique(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"case_sensitive", "attribute"});
  const AttributePath path(bound.is_none(1) ? Value() : *bound.get(1));
  DictObject seen;
  std::vector<Value> kept;
  for (Value& item : machine.iterate(self)) {
    Value key = path.get(machine, item);
    if (!bound.flag(0, false)) key = without_case(machine, key);
    machine.heap().work(key.weight() + 64);
    if (!key.is_undefined() && seen.find(key) != nullptr) continue;
    seen.set(key, Value::none());
    kept.push_back(std::move(item));
  }
  return machine.heap().generator(std::move(kept));
}

Value extreme(Machine& machine, const Value& self, Arguments& arguments, int sign) {
  const Bound bound(arguments, {"case_sensitive", "attribute"});
  const AttributePath path(bound.is_none(1) ? Value() : *bound.get(1));
  std::optional<std::pair<Value, Value>> best;
  for (Value& item : machine.iterate(self)) {
    Value key = path.get(machine, item);
    if (!bound.flag(0, false)) key = without_case(machine, key);
    if (best) machine.heap().compare(key, best->first);
    if (!best || compare(key, best->first, sign < 0 ? "<" : ">") == sign)
      best = {std::move(key), std::move(item)};
  }
  return best ? best->second : machine.heap().undefined("No aggregated item, sequence was empty.");
}

Value min_filter(Machine& machine, const Value& self, Arguments& arguments) {
  return extreme(machine, self, arguments, -1);
}

Value max_filter(Machine& machine, const Value& self, Arguments& arguments) {
  return extreme(machine, self, arguments, 1);
}

Value sum(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"attribute", "start"});
  const AttributePath path(bound.is_none(0) ? Value() : *bound.get(0));
  Value total = bound.has(1) ? *bound.get(1) : Value::of(std::int64_t{0});
  if (total.is_text()) type_error("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : machine.iterate(self))
    total = machine.arithmetic(Op::add, total, path.get(machine, item));
  return total;
}

Value reverse(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  if (self.is_undefined()) undefined_error(self);
  std::vector<Value> items = machine.iterate(self);
  std::reverse(items.begin(), items.end());
  if (!self.is_text()) return machine.heap().generator(std::move(items));
  Text out;
  for (const Value& c : items) out.append(c.text());
  return machine.heap().text(std::move(out), self.is_markup());
}

Value batch(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = need_integer(*bound.get(0));
  std::vector<Value> rows, row;
  const auto flush = [&] {
    rows.push_back(machine.heap().list(std::move(row)));
    row.clear();
  };
  for (Value& item : machine.iterate(self)) {
    if (static_cast<std::int64_t>(row.size()) == size) flush();
    row.push_back(std::move(item));
  }
  if (!row.empty()) {
    const std::int64_t missing = size - static_cast<std::int64_t>(row.size());
    if (!bound.is_none(1) && missing > 0) {
      machine.heap().check_text(sizeof(Value), missing);
      row.insert(row.end(), static_cast<std::size_t>(missing), *bound.get(1));
    }
    flush();
  }
  return machine.heap().generator(std::move(rows));
}

Value slice_filter(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"slices", "fill_with"}, 1);
  const std::int64_t slices = need_integer(*bound.get(0));
  const std::vector<Value> all = machine.iterate(self);
  if (slices == 0) type_error("integer division or modulo by zero");
  machine.heap().step(std::max<std::int64_t>(0, slices));
  std::vector<Value> columns;
  const auto size = static_cast<std::int64_t>(all.size());
  auto at = all.begin();
  for (std::int64_t i = 0; i < slices; ++i) {
    const std::int64_t count = size / slices + (i < size % slices);
    std::vector<Value> column(at, at + count);
    at += count;
    if (!bound.is_none(1) && i >= size % slices) column.push_back(*bound.get(1));
    columns.push_back(machine.heap().list(std::move(column)));
  }
  return machine.heap().generator(std::move(columns));
}

Value groupby(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(*bound.get(0), bound.value(1));
  std::vector<SortItem> sorted;
  for (Value& item : machine.iterate(self)) {
    Value key = path.get(machine, item);
    if (!bound.flag(2, false)) key = without_case(machine, key);
    sorted.push_back({{std::move(key)}, std::move(item)});
  }
  std::vector<Value> groups, members;
  std::optional<Value> before;
  const auto flush = [&] {
    if (members.empty()) return;
    Value name = path.get(machine, members.front());
    groups.push_back(machine.heap().group(std::move(name), machine.heap().list(members)));
    members.clear();
  };
  for (Value& item : sort_items(machine, std::move(sorted), false)) {
    Value key = path.get(machine, item);
    if (!bound.flag(2, false)) key = without_case(machine, key);
    if (before) machine.heap().compare(*before, key);
    if (before && !equal(*before, key)) flush();
    before = std::move(key);
    members.push_back(std::move(item));
  }
  flush();
  return machine.heap().list(std::move(groups));
}

Value attr(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"name"}, 1);
  const std::string name = need_text(*bound.get(0), "the name of an attribute").bytes();
  if (self.is_undefined()) undefined_error(self);
  if (self.is(Kind::dict) && find_method(self, name) == nullptr)  // items are no attributes
    return machine.heap().undefined(fmt::format("'dict object' has no attribute '{}'", name));
  return machine.get_attribute(self, name);
}

}  // namespace

void add_list_filters(BuiltinList& table) {
  table.insert(table.end(), {{"length", length},
                             {"count", length},
                             {"list", list},
                             {"first", first},
                             {"last", last},
                             {"join", join},
                             {"default", default_filter},
                             {"d", default_filter},
                             {"items", items},
                             {"dictsort", dictsort},
                             {"sort", sort_filter},
                             {"unique", unique},
                             {"min", min_filter},
                             {"max", max_filter},
                             {"sum", sum},
                             {"reverse", reverse},
                             {"batch", batch},
                             {"slice", slice_filter},
                             {"groupby", groupby},
                             {"attr", attr}});
}

}  // namespace lathe::chat
