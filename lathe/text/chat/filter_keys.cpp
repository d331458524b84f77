#include "lathe/text/chat/filter_keys.h"

#include <algorithm>

#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 18 && text.find_first_not_of("0123456789") == text.npos;
}

/// The parts of a path live as long as the path, in no heap.
Value own_text(const Text& text) {
  auto object = std::make_shared<TextObject>();
  object->text = text;
  return Value::of(Kind::text, std::move(object));
}

}  // namespace

AttributePath::AttributePath(const Value& attribute, Value fallback)
    : fallback_(std::move(fallback)) {
  if (attribute.is_undefined() || attribute.is_none()) return;
  if (!attribute.is_text()) {
    parts_.push_back(attribute);
    return;
  }
  for (const Text& part : split(attribute.text(), ".", -1))
    parts_.push_back(is_number(part.view()) ? Value::of(std::int64_t{std::stoll(part.bytes())})
                                            : own_text(part));
}

Value AttributePath::get(Machine& machine, const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = machine.get_item(value, part);
    if (value.is_undefined() && !fallback_.is_undefined() && !fallback_.is_none())
      value = fallback_;
  }
  return value;
}

Value without_case(Machine& machine, const Value& value) {
  if (!value.is_text()) return value;
  machine.heap().work(value.text().size());
  return machine.heap().text(cased(value.text(), Case::lower));
}

std::vector<Value> sort_items(Machine& machine, std::vector<SortItem> items, bool reverse) {
  const auto before = [&](const SortItem& a, const SortItem& b) {
    for (std::size_t i = 0; i < a.keys.size(); ++i) {
      machine.heap().compare(a.keys[i], b.keys[i]);
      if (equal(a.keys[i], b.keys[i])) continue;
      return compare(a.keys[i], b.keys[i], "<") < 0;
    }
    return false;
  };
  // Equal items keep their order in both directions, as in Python.
  if (reverse)
    std::stable_sort(items.begin(), items.end(),
                     [&](const SortItem& a, const SortItem& b) { return before(b, a); });
  else
    std::stable_sort(items.begin(), items.end(), before);
  std::vector<Value> sorted;
  for (SortItem& item : items) sorted.push_back(std::move(item.item));
  return sorted;
}

}  // namespace lathe::chat
