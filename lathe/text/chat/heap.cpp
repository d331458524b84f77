#include "lathe/text/chat/heap.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::chat {
namespace {

constexpr int kDeepest = 400;  // lists in lists
constexpr std::size_t kHeaviest = std::size_t{1} << 50;
constexpr std::int64_t kStepsAnInput = 500;  // for each value that the caller gives

}  // namespace

Object::~Object() {
  if (heap != nullptr) heap->live_ -= bytes;
}

void Heap::out_of_steps() const {
  fail(ErrorCode::kInvalidArgument, "the template takes more than {} steps; it was stopped",
       limits_.steps);
}

void Heap::check_text(std::size_t bytes) const {
  if (bytes > limits_.text)
    fail(ErrorCode::kInvalidArgument, "a text of more than {} bytes; the template was stopped",
         limits_.text);
}

void Heap::check_text(std::size_t bytes, std::int64_t count) const {
  if (bytes != 0 && count > 0 && static_cast<std::size_t>(count) > limits_.text / bytes)
    check_text(limits_.text + 1);
}

void Heap::keep(std::size_t bytes) {
  if (input_) {
    limits_.memory += bytes;
    const std::int64_t steps = kStepsAnInput + static_cast<std::int64_t>(bytes / 2);
    limits_.steps += steps;
    steps_left_ += steps;
  } else {
    work(bytes);
  }
  if (bytes > limits_.memory - std::min(limits_.memory, live_))
    fail(ErrorCode::kInvalidArgument,
         "the template takes more than {} bytes of memory; it was stopped", limits_.memory);
  live_ += bytes;
}

void Heap::Size::hold(const Value& value) {
  depth = std::max(depth, value.depth());
  weight = std::min(kHeaviest, weight + value.weight());
}

template <typename T>
std::shared_ptr<T> Heap::make(Size size) {
  if (size.depth >= kDeepest)
    fail(ErrorCode::kInvalidArgument, "values nested more than {} deep", kDeepest);
  size.bytes += sizeof(T) + 32;
  keep(size.bytes);
  auto object = std::make_shared<T>();
  object->heap = this;
  object->bytes = size.bytes;
  object->depth = size.depth + 1;
  object->weight = size.weight + 8;
  return object;
}

Value Heap::text(Text text, bool markup) {
  if (input_)
    limits_.text = std::max(limits_.text, 4 * (live_ + text.size()));
  else
    check_text(text.size());
  auto object = make<TextObject>({.bytes = text.size(), .weight = text.size()});
  object->text = std::move(text);
  object->markup = markup;
  return Value::of(Kind::text, std::move(object));
}

Value Heap::sequence(Kind kind, std::vector<Value> items, bool is_group) {
  Size size{.bytes = items.size() * sizeof(Value)};
  for (const Value& item : items) size.hold(item);
  auto object = make<ListObject>(size);
  object->items = std::move(items);
  object->is_group = is_group;
  return Value::of(kind, std::move(object));
}

Value Heap::group(Value key, Value items) {
  return sequence(Kind::tuple, {std::move(key), std::move(items)}, true);
}

Value Heap::dict(std::vector<std::pair<Value, Value>> items) {
  Size size{.bytes = items.size() * (2 * sizeof(Value) + 8)};
  for (const auto& [key, value] : items) {
    work(key.weight());  // to hash it
    size.hold(key);
    size.hold(value);
  }
  auto object = make<DictObject>(size);
  object->items.reserve(items.size());
  for (const auto& [key, value] : items) object->set(key, value);
  return Value::of(Kind::dict, std::move(object));
}

Value Heap::range(std::int64_t start, std::int64_t stop, std::int64_t step) {
  auto object = make<RangeObject>({});
  object->start = start;
  object->stop = stop;
  object->step = step;
  object->weight += 8 * static_cast<std::size_t>(object->size());
  return Value::of(Kind::range, std::move(object));
}

Value Heap::view(const Value& dict, ViewObject::Of of) {
  Size size;
  size.hold(dict);
  auto object = make<ViewObject>(size);
  object->of = of;
  object->dict = dict;
  return Value::of(Kind::view, std::move(object));
}

Value Heap::generator(std::vector<Value> items) {
  Size size{.bytes = items.size() * sizeof(Value)};
  for (const Value& item : items) size.hold(item);
  auto object = make<GeneratorObject>(size);
  object->items = std::move(items);
  return Value::of(Kind::generator, std::move(object));
}

Value Heap::function(std::string_view name, Builtin call, Value self, bool is_object) {
  Size size{.bytes = name.size()};
  size.hold(self);
  auto object = make<FunctionObject>(size);
  object->name = name;
  object->call = call;
  object->self = std::move(self);
  object->is_object = is_object;
  return Value::of(Kind::function, std::move(object));
}

Value Heap::undefined(std::string message) {
  auto object = make<UndefinedObject>({.bytes = message.size()});
  object->message = std::move(message);
  return Value::of(Kind::undefined, std::move(object));
}

Value Heap::from_tree(const Tree& tree, Trust trust) {
  switch (tree.kind) {
    case Tree::Kind::null:
      return Value::none();
    case Tree::Kind::boolean:
      return Value::of(tree.boolean);
    case Tree::Kind::integer:
      return Value::of(tree.integer);
    case Tree::Kind::real:
      return Value::of(tree.real);
    case Tree::Kind::string:
    case Tree::Kind::date:
      return text(tree.text, trust);
    case Tree::Kind::array: {
      std::vector<Value> items;
      for (const Tree& item : tree.items) items.push_back(from_tree(item, trust));
      return list(std::move(items));
    }
    case Tree::Kind::table:
      break;
  }
  std::vector<std::pair<Value, Value>> items;
  for (std::size_t i = 0; i < tree.items.size(); ++i)
    items.emplace_back(text(tree.keys[i], trust), from_tree(tree.items[i], trust));
  return dict(std::move(items));
}

}  // namespace lathe::chat
