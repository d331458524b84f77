#include "lathe/text/chat/value.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lathe/base/error.h"
#include "lathe/text/chat/heap.h"

namespace lathe::chat {
namespace {

constexpr std::size_t kSmallDict = 8;

std::size_t mix(std::size_t a, std::size_t b) {
  return (a ^ (b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2))) * 0xFF51AFD7ED558CCDu;
}

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

bool equal_dicts(const DictObject& a, const DictObject& b) {
  if (a.items.size() != b.items.size()) return false;
  return std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
    const Value* there = b.find(item.first);
    return there != nullptr && equal(item.second, *there);
  });
}

bool equal_ranges(const RangeObject& a, const RangeObject& b) {
  const std::int64_t size = a.size();
  if (size != b.size()) return false;
  return size == 0 || (a.start == b.start && (size == 1 || a.step == b.step));
}

template <typename T>
int order(T a, T b) {
  return a < b ? -1 : (a > b ? 1 : 0);
}

int order_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return order(a.integer(), b.integer());
  // Exact where a double is: long double holds every int64.
  const auto wide = [](const Value& v) {
    return v.is_integral() ? static_cast<long double>(v.integer())
                           : static_cast<long double>(v.real());
  };
  return order(wide(a), wide(b));
}

}  // namespace

Value Value::none() {
  Value value;
  value.kind_ = Kind::none;
  return value;
}

Value Value::of(bool boolean) {
  Value value;
  value.kind_ = Kind::boolean;
  value.number_ = boolean;
  return value;
}

Value Value::of(std::int64_t number) {
  Value value;
  value.kind_ = Kind::integer;
  value.number_ = number;
  return value;
}

Value Value::of(double number) {
  Value value;
  value.kind_ = Kind::real;
  value.real_ = number;
  return value;
}

Value Value::of(Kind kind, std::shared_ptr<const Object> object) {
  Value value;
  value.kind_ = kind;
  value.object_ = std::move(object);
  return value;
}

Value Value::of(Namespace& target) {
  Value value;
  value.kind_ = Kind::name_space;
  value.target_ = &target;
  return value;
}

Value Value::of(LoopState& target) {
  Value value;
  value.kind_ = Kind::loop;
  value.target_ = &target;
  return value;
}

Value Value::of(const Macro& target) {
  Value value;
  value.kind_ = Kind::macro;
  value.target_ = const_cast<Macro*>(&target);
  return value;
}

double Value::real() const { return kind_ == Kind::real ? real_ : static_cast<double>(number_); }

const Text& Value::text() const { return as<TextObject>().text; }
bool Value::is_markup() const { return is_text() && as<TextObject>().markup; }
const std::vector<Value>& Value::items() const { return as<ListObject>().items; }

std::size_t DictObject::position(const Value& key, std::size_t hash) const {
  for (std::size_t i = hash & (table.size() - 1);; i = (i + 1) & (table.size() - 1))
    if (table[i] == 0 || equal(items[table[i] - 1].first, key)) return i;
}

const Value* DictObject::find(const Value& key) const {
  if (table.empty()) {
    for (const auto& [known, value] : items)
      if (equal(known, key)) return &value;
    return nullptr;
  }
  const std::uint32_t at = table[position(key, chat::hash(key))];
  return at == 0 ? nullptr : &items[at - 1].second;
}

const Value* DictObject::find(std::string_view key) const {
  if (table.empty()) {
    for (const auto& [known, value] : items)
      if (known.is_text() && known.text().view() == key) return &value;
    return nullptr;
  }
  auto text = std::make_shared<TextObject>();
  text->text = Text(std::string(key), Trust::author);
  return find(Value::of(Kind::text, std::move(text)));
}

void DictObject::set(const Value& key, const Value& value) {
  const std::size_t code = chat::hash(key);
  if (const Value* known = find(key)) {
    const_cast<Value&>(*known) = value;
    return;
  }
  items.emplace_back(key, value);
  if (items.size() > kSmallDict && items.size() * 2 > table.size())
    rebuild();
  else if (!table.empty())
    table[position(key, code)] = static_cast<std::uint32_t>(items.size());
}

void DictObject::rebuild() {
  table.assign(std::bit_ceil(items.size() * 4), 0);
  for (std::size_t i = 0; i < items.size(); ++i)
    table[position(items[i].first, chat::hash(items[i].first))] = static_cast<std::uint32_t>(i + 1);
}

std::int64_t RangeObject::size() const {
  using Wide = __int128;
  const Wide span = step > 0 ? Wide{stop} - start : Wide{start} - stop;
  const Wide width = step > 0 ? Wide{step} : -Wide{step};
  return span <= 0 ? 0 : static_cast<std::int64_t>((span + width - 1) / width);
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::text:
      return value.is_markup() ? "Markup" : "str";
    case Kind::list:
      return "list";
    case Kind::tuple:
      return "tuple";
    case Kind::dict:
      return "dict";
    case Kind::range:
      return "range";
    case Kind::view:
      return "dict view";
    case Kind::generator:
      return "generator";
    case Kind::name_space:
      return "Namespace";
    case Kind::loop:
      return "LoopContext";
    case Kind::macro:
      return "Macro";
    case Kind::function:
      break;
  }
  return "function";
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.integer() != 0;
    case Kind::real:
      return value.real() != 0;
    case Kind::text:
      return !value.text().empty();
    case Kind::list:
    case Kind::tuple:
      return !value.items().empty();
    case Kind::dict:
      return !value.as<DictObject>().items.empty();
    case Kind::range:
      return value.as<RangeObject>().size() != 0;
    case Kind::view:
      return truth(value.as<ViewObject>().dict);
    default:
      return true;
  }
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0 && a.real() == a.real();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::text:
      return a.text().bytes() == b.text().bytes();
    case Kind::list:
    case Kind::tuple:
      return a.object() == b.object() || equal_items(a.items(), b.items());
    case Kind::dict:
      return a.object() == b.object() || equal_dicts(a.as<DictObject>(), b.as<DictObject>());
    case Kind::range:
      return equal_ranges(a.as<RangeObject>(), b.as<RangeObject>());
    case Kind::name_space:
      return &a.name_space() == &b.name_space();
    case Kind::loop:
      return &a.loop() == &b.loop();
    case Kind::macro:
      return &a.macro() == &b.macro();
    default:
      return a.object() == b.object();
  }
}

int compare(const Value& a, const Value& b, std::string_view op) {
  if (a.is_number() && b.is_number()) return order_numbers(a, b);
  if (a.is_text() && b.is_text()) {
    const int sign = a.text().bytes().compare(b.text().bytes());  // UTF-8 sorts as code points do
    return order(sign, 0);
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const auto &left = a.items(), &right = b.items();
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
      if (!equal(left[i], right[i])) return compare(left[i], right[i], op);
    return order(left.size(), right.size());
  }
  for (const Value* side : {&a, &b})
    if (side->is_undefined() && side->object() != nullptr)
      fail(ErrorCode::kInvalidArgument, "{}", side->as<UndefinedObject>().message);
  fail(ErrorCode::kInvalidArgument, "'{}' not supported between instances of '{}' and '{}'", op,
       type_name(a), type_name(b));
}

std::size_t hash(const Value& value) {
  switch (value.kind()) {
    case Kind::boolean:
    case Kind::integer:
      return mix(1, std::hash<double>()(static_cast<double>(value.integer())));
    case Kind::real:
      return mix(1, std::hash<double>()(value.real()));
    case Kind::text:
      return mix(2, std::hash<std::string>()(value.text().bytes()));
    case Kind::tuple: {
      std::size_t code = 3;
      for (const Value& item : value.items()) code = mix(code, hash(item));
      return code;
    }
    case Kind::list:
    case Kind::dict:
    case Kind::view:
      fail(ErrorCode::kInvalidArgument, "unhashable type: '{}'", type_name(value));
    default:
      return mix(4, static_cast<std::size_t>(value.kind()));
  }
}

}  // namespace lathe::chat
