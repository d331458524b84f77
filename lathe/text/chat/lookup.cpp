// Attributes, items, slices and what can be iterated.
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "lathe/base/error.h"
#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/machine.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

/// As messages about a missing attribute call the object.
std::string object_name(const Value& value) {
  return value.is_none() ? "None" : fmt::format("{} object", type_name(value));
}

Value loop_cycle(Machine&, const Value& self, Arguments& arguments) {
  if (arguments.positional.empty()) type_error("no items for cycling given");
  return arguments.positional[self.loop().index % arguments.positional.size()];
}

Value loop_changed(Machine& machine, const Value& self, Arguments& arguments) {
  LoopState& loop = self.loop();
  for (const Value& value : arguments.positional) machine.heap().visit(value);
  if (loop.items.empty()) return Value::of(true);  // the loop is over
  const bool same =
      loop.was_asked && std::equal(loop.changed.begin(), loop.changed.end(),
                                   arguments.positional.begin(), arguments.positional.end(), equal);
  loop.was_asked = true;
  if (!same) loop.changed = arguments.positional;
  return Value::of(!same);
}

Value loop_attribute(Machine& machine, const Value& value, std::string_view name) {
  Heap& heap = machine.heap();
  LoopState& loop = value.loop();
  if (name == "length" || name.starts_with("revindex")) {
    machine.has_item(loop, std::numeric_limits<std::size_t>::max());
  } else if (name == "last" || name == "nextitem") {
    machine.has_item(loop, loop.index + 1);
  }
  const auto size = static_cast<std::int64_t>(loop.items.size());
  const auto index = static_cast<std::int64_t>(loop.index);
  if (name == "index") return Value::of(index + 1);
  if (name == "index0") return Value::of(index);
  if (name == "first") return Value::of(index == 0);
  if (name == "last") return Value::of(index + 1 >= size);
  if (name == "length") return Value::of(size);
  if (name == "revindex") return Value::of(size - index);
  if (name == "revindex0") return Value::of(size - index - 1);
  if (name == "depth") return Value::of(std::int64_t{loop.depth} + 1);
  if (name == "depth0") return Value::of(std::int64_t{loop.depth});
  if (name == "previtem")
    return index == 0 || index > size ? heap.undefined("there is no previous item")
                                      : loop.items[loop.index - 1];
  if (name == "nextitem")
    return index + 1 >= size ? heap.undefined("there is no next item") : loop.items[loop.index + 1];
  if (name == "cycle") return heap.function(name, loop_cycle, value);
  if (name == "changed") return heap.function(name, loop_changed, value);
  return heap.undefined(fmt::format("'LoopContext' has no attribute '{}'", name));
}

/// Python's slice.indices().
struct Bounds {
  std::int64_t start, stop, step;
};

Bounds bounds_of(std::int64_t size, const Value& start, const Value& stop, const Value& step) {
  const auto number = [](const Value& value) {
    if (!value.is_integral()) {
      if (value.is_undefined() && value.object() != nullptr) undefined_error(value);
      type_error("slice indices must be integers or None");
    }
    return value.integer();
  };
  const auto given = [](const Value& value) {
    return !value.is_none() && (!value.is_undefined() || value.object() != nullptr);
  };
  Bounds bounds{0, size, given(step) ? number(step) : 1};
  if (bounds.step == 0) type_error("slice step cannot be zero");
  if (bounds.step == std::numeric_limits<std::int64_t>::min()) ++bounds.step;
  const std::int64_t low = bounds.step < 0 ? -1 : 0, high = bounds.step < 0 ? size - 1 : size;
  const auto place = [&](const Value& value) {
    std::int64_t at = number(value);
    if (at < 0) at = at < -size ? low : std::max(low, at + size);
    return std::min(at, high);
  };
  bounds.start = given(start) ? place(start) : (bounds.step < 0 ? high : low);
  bounds.stop = given(stop) ? place(stop) : (bounds.step < 0 ? low : high);
  return bounds;
}

std::vector<std::int64_t> places(const Bounds& bounds) {
  std::vector<std::int64_t> places;
  std::int64_t at = bounds.start;
  while (bounds.step > 0 ? at < bounds.stop : at > bounds.stop) {
    places.push_back(at);
    if (__builtin_add_overflow(at, bounds.step, &at)) break;
  }
  return places;
}

Text slice_text(const Text& text, const Bounds& bounds) {
  const auto byte = [&](std::int64_t index) {
    return byte_of_character(text.view(), static_cast<std::size_t>(index));
  };
  if (bounds.step == 1)
    return bounds.start < bounds.stop ? text.slice(byte(bounds.start), byte(bounds.stop)) : Text();
  const std::vector<Text> all = characters(text);
  Text out;
  for (const std::int64_t at : places(bounds)) out.append(all[static_cast<std::size_t>(at)]);
  return out;
}

}  // namespace

Value Machine::get_attribute(const Value& value, std::string_view name) {
  if (value.is_undefined()) undefined_error(value);
  if (value.is(Kind::loop)) return loop_attribute(*this, value, name);
  if (const Builtin method = find_method(value, name)) return heap_.function(name, method, value);
  if (value.is(Kind::dict)) {
    if (const Value* item = value.as<DictObject>().find(name)) return *item;
  }
  if (value.is(Kind::name_space)) {
    for (const auto& [known, attribute] : value.name_space().attributes)
      if (known == name) return attribute;
  }
  if (value.is(Kind::function) && name == "current" && find_method(value, "next") != nullptr) {
    const auto& cycler = value.as<FunctionObject>();
    return cycler.self.items()[cycler.state % cycler.self.items().size()];
  }
  if (value.is(Kind::macro) && name == "name") return heap_.text(value.macro().name);
  if (value.is(Kind::tuple) && value.as<ListObject>().is_group) {
    if (name == "grouper") return value.items()[0];
    if (name == "list") return value.items()[1];
  }
  return heap_.undefined(fmt::format("'{}' has no attribute '{}'", object_name(value), name));
}

Value Machine::get_item(const Value& value, const Value& key) {
  const auto index = [&](std::int64_t size) {
    std::int64_t at = key.integer();
    if (at < 0) at += size;
    return at >= 0 && at < size ? at : -1;
  };
  if (value.is_undefined()) undefined_error(value);
  if (key.is_integral() && value.is_sequence()) {
    const std::int64_t at = index(static_cast<std::int64_t>(value.items().size()));
    if (at >= 0) return value.items()[static_cast<std::size_t>(at)];
  } else if (key.is_integral() && value.is_text()) {
    const Text& text = value.text();
    heap_.work(text.size());
    const std::int64_t at = index(static_cast<std::int64_t>(count_characters(text.view())));
    if (at >= 0) return heap_.text(slice_text(text, {at, at + 1, 1}), value.is_markup());
  } else if (key.is_integral() && value.is(Kind::range)) {
    const auto& range = value.as<RangeObject>();
    const std::int64_t at = index(range.size());
    if (at >= 0) return Value::of(range.start + at * range.step);
  } else if (value.is(Kind::dict) && !key.is(Kind::list) && !key.is(Kind::dict)) {
    heap_.work(key.weight());
    if (const Value* item = value.as<DictObject>().find(key)) return *item;
  }
  if (key.is_text()) {
    if (value.is(Kind::dict)) {
      if (const Builtin method = find_method(value, key.text().view()))
        return heap_.function(key.text().view(), method, value);
    } else {
      return get_attribute(value, key.text().view());
    }
    return heap_.undefined(
        fmt::format("'{}' has no attribute '{}'", object_name(value), key.text().view()));
  }
  heap_.visit(key);
  return heap_.undefined(
      fmt::format("{} has no element {}", object_name(value), to_repr(key).view()));
}

Value Machine::evaluate_subscript(const Expr& expr) {
  const Value value = evaluate(*expr.items[0]);
  if (expr.items[1]->kind == ExprKind::slice) return slice(value, *expr.items[1]);
  const Value key = evaluate(*expr.items[1]);
  at_ = expr.at;
  return get_item(value, key);
}

Value Machine::slice(const Value& value, const Expr& slice) {
  Value parts[3];
  for (std::size_t i = 0; i < 3; ++i)
    if (slice.items[i]) parts[i] = evaluate(*slice.items[i]);
  at_ = slice.at;
  heap_.work(value.is_text() ? value.text().size() : 0);
  if (value.is_undefined()) undefined_error(value);
  if (value.is_text()) {
    const auto size = static_cast<std::int64_t>(count_characters(value.text().view()));
    return heap_.text(slice_text(value.text(), bounds_of(size, parts[0], parts[1], parts[2])),
                      value.is_markup());
  }
  if (value.is(Kind::range)) {
    const auto& range = value.as<RangeObject>();
    std::vector<Value> items;
    for (const std::int64_t at : places(bounds_of(range.size(), parts[0], parts[1], parts[2])))
      items.push_back(Value::of(range.start + at * range.step));
    return heap_.list(std::move(items));
  }
  if (!value.is_sequence())
    return heap_.undefined(fmt::format("{} has no slices", object_name(value)));
  const auto size = static_cast<std::int64_t>(value.items().size());
  std::vector<Value> items;
  for (const std::int64_t at : places(bounds_of(size, parts[0], parts[1], parts[2])))
    items.push_back(value.items()[static_cast<std::size_t>(at)]);
  return value.is(Kind::list) ? heap_.list(std::move(items)) : heap_.tuple(std::move(items));
}

std::vector<Value> Machine::iterate(const Value& value) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::undefined:
      return items;
    case Kind::list:
    case Kind::tuple:
      items = value.items();
      break;
    case Kind::text:
      heap_.step(static_cast<std::int64_t>(value.text().size()));
      for (Text& c : characters(value.text())) items.push_back(heap_.text(std::move(c)));
      break;
    case Kind::dict:
      for (const auto& [key, item] : value.as<DictObject>().items) items.push_back(key);
      break;
    case Kind::range: {
      const auto& range = value.as<RangeObject>();
      const std::int64_t size = range.size();
      heap_.step(size);
      for (std::int64_t i = 0; i < size; ++i)
        items.push_back(Value::of(range.start + i * range.step));
      break;
    }
    case Kind::view: {
      const auto& view = value.as<ViewObject>();
      for (const auto& [key, item] : view.dict.as<DictObject>().items)
        if (view.of == ViewObject::Of::items)
          items.push_back(heap_.tuple({key, item}));
        else
          items.push_back(view.of == ViewObject::Of::keys ? key : item);
      break;
    }
    case Kind::generator: {
      const auto& generator = value.as<GeneratorObject>();
      items.assign(generator.items.begin() + static_cast<std::ptrdiff_t>(generator.next),
                   generator.items.end());
      generator.next = generator.items.size();
      break;
    }
    default:
      type_error(fmt::format("'{}' object is not iterable", type_name(value)));
  }
  heap_.work(items.size() * sizeof(Value));
  return items;
}

bool Machine::contains(const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::text:
      heap_.work(container.text().size());
      if (item.is_text())
        return find_bytes(container.text().view(), item.text().view()) != std::string_view::npos;
      type_error(
          fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
    case Kind::dict:
      heap_.work(item.weight());
      return container.as<DictObject>().find(item) != nullptr;
    case Kind::none:
    case Kind::boolean:
    case Kind::integer:
    case Kind::real:
    case Kind::name_space:
    case Kind::macro:
    case Kind::function:
    case Kind::loop:
      type_error(fmt::format("argument of type '{}' is not iterable", type_name(container)));
    default: {
      const std::vector<Value> items = iterate(container);
      return std::any_of(items.begin(), items.end(), [&](const Value& known) {
        heap_.compare(known, item);
        return equal(known, item);
      });
    }
  }
}

}  // namespace lathe::chat
