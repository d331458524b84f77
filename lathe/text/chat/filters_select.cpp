// map, select, reject and their like; tests ("is defined"). Source: jinja2 3.1 (filters, tests).
#include <fmt/core.h>

#include <cmath>

#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/filter_keys.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {
namespace {

Arguments behind(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

Value map(Machine& machine, const Value& self, Arguments& arguments) {
  if (!truth(self)) return machine.heap().generator({});
  std::vector<Value> results;
  if (arguments.positional.empty()) {
    if (arguments.named.empty() || arguments.named[0].first.empty())
      type_error("map requires a filter argument");
    const Bound bound(arguments, {"attribute", "default"}, 1);
    const AttributePath path(*bound.get(0), bound.value(1));
    for (const Value& item : machine.iterate(self)) results.push_back(path.get(machine, item));
    return machine.heap().generator(std::move(results));
  }
  const std::string name = need_text(arguments.positional[0], "the name of a filter").bytes();
  for (const Value& item : machine.iterate(self)) {
    Arguments rest = behind(arguments, 1);
    results.push_back(machine.call_filter(name, item, rest));
  }
  return machine.heap().generator(std::move(results));
}

Value choose(Machine& machine, const Value& self, const Arguments& arguments, bool keep,
             bool by_attribute) {
  if (!truth(self)) return machine.heap().generator({});
  const std::size_t used = by_attribute ? 1 : 0;
  if (arguments.positional.size() < used) type_error("Missing parameter for attribute name");
  const AttributePath path(by_attribute ? arguments.positional[0] : Value());
  std::vector<Value> kept;
  for (Value& item : machine.iterate(self)) {
    const Value subject = path.get(machine, item);
    bool passes = false;
    if (arguments.positional.size() > used) {
      Arguments rest = behind(arguments, used + 1);
      passes = machine.call_test(
          need_text(arguments.positional[used], "the name of a test").bytes(), subject, rest);
    } else {
      passes = truth(subject);
    }
    if (passes == keep) kept.push_back(std::move(item));
  }
  return machine.heap().generator(std::move(kept));
}

Value select(Machine& machine, const Value& self, Arguments& arguments) {
  return choose(machine, self, arguments, true, false);
}
Value reject(Machine& machine, const Value& self, Arguments& arguments) {
  return choose(machine, self, arguments, false, false);
}
Value selectattr(Machine& machine, const Value& self, Arguments& arguments) {
  return choose(machine, self, arguments, true, true);
}
Value rejectattr(Machine& machine, const Value& self, Arguments& arguments) {
  return choose(machine, self, arguments, false, true);
}

template <bool (*Test)(const Value&)>
Value unary(Machine&, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {});
  return Value::of(Test(self));
}

template <typename Test>
Value binary(Machine& machine, const Value& self, const Arguments& arguments, Test test) {
  const Bound bound(arguments, {"other"}, 1);
  machine.heap().compare(self, *bound.get(0));
  return Value::of(bool{test(self, *bound.get(0))});
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is(Kind::boolean); }
bool is_true(const Value& v) { return v.is(Kind::boolean) && v.boolean(); }
bool is_false(const Value& v) { return v.is(Kind::boolean) && !v.boolean(); }
bool is_integer(const Value& v) { return v.is(Kind::integer); }
bool is_float(const Value& v) { return v.is(Kind::real); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_text(); }
bool is_mapping(const Value& v) { return v.is(Kind::dict); }
bool is_escaped(const Value& v) { return v.is_markup(); }
bool is_callable(const Value& v) {
  // An undefined value has a __call__, which raises; jinja2's callable() sees only that it is
  // there.
  return v.is(Kind::function) || v.is(Kind::macro) || v.is(Kind::loop) || v.is_undefined();
}
bool is_sequence(const Value& v) {
  return v.is_text() || v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) ||
         v.is_undefined();
}
bool is_iterable(const Value& v) {
  return is_sequence(v) || v.is(Kind::view) || v.is(Kind::generator) || v.is(Kind::loop);
}

Value remainder_is(Machine& machine, const Value& self, std::int64_t by, std::int64_t rest) {
  const Value result = machine.arithmetic(Op::modulo, self, Value::of(by));
  return Value::of(equal(result, Value::of(rest)));
}
Value is_odd(Machine& machine, const Value& self, Arguments&) {
  return remainder_is(machine, self, 2, 1);
}
Value is_even(Machine& machine, const Value& self, Arguments&) {
  return remainder_is(machine, self, 2, 0);
}
Value is_divisible(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"num"}, 1);
  const Value result = machine.arithmetic(Op::modulo, self, *bound.get(0));
  return Value::of(equal(result, Value::of(std::int64_t{0})));
}

/// Whether the cased characters of str(value) are all of one case, and there are some.
Value all_cased(Machine& machine, const Value& self, bool (*wanted)(std::uint32_t)) {
  machine.heap().visit(self);
  const Text text = to_text(self);
  bool some = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    if (is_cased(c.code) && !wanted(c.code)) return Value::of(false);
    some |= is_cased(c.code);
    at += c.size;
  }
  return Value::of(some);
}
Value test_lower(Machine& machine, const Value& self, Arguments&) {
  return all_cased(machine, self, is_lower);
}
Value test_upper(Machine& machine, const Value& self, Arguments&) {
  return all_cased(machine, self, is_upper);
}

Value same_as(Machine&, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"other"}, 1);
  const Value& other = *bound.get(0);
  if (self.kind() != other.kind()) return Value::of(false);
  if (self.object() != nullptr) return Value::of(self.object() == other.object());
  return Value::of(equal(self, other));
}
Value is_in(Machine& machine, const Value& self, Arguments& arguments) {
  const Bound bound(arguments, {"seq"}, 1);
  return Value::of(machine.contains(*bound.get(0), self));
}
Value is_filter(Machine&, const Value& self, Arguments&) {
  return Value::of(self.is_text() && find_filter(self.text().view()) != nullptr);
}
Value is_test(Machine&, const Value& self, Arguments&) {
  return Value::of(self.is_text() && find_test(self.text().view()) != nullptr);
}

Value eq(Machine& m, const Value& self, Arguments& arguments) {
  return binary(m, self, arguments, equal);
}
Value ne(Machine& m, const Value& self, Arguments& arguments) {
  return binary(m, self, arguments, [](const Value& a, const Value& b) { return !equal(a, b); });
}
Value lt(Machine& m, const Value& self, Arguments& arguments) {
  return binary(m, self, arguments,
                [](const Value& a, const Value& b) { return compare(a, b, "<") < 0; });
}
Value le(Machine& m, const Value& self, Arguments& arguments) {
  return binary(m, self, arguments,
                [](const Value& a, const Value& b) { return compare(a, b, "<=") <= 0; });
}
Value gt(Machine& m, const Value& self, Arguments& arguments) {
  return binary(m, self, arguments,
                [](const Value& a, const Value& b) { return compare(a, b, ">") > 0; });
}
Value ge(Machine& m, const Value& self, Arguments& arguments) {
  return binary(m, self, arguments,
                [](const Value& a, const Value& b) { return compare(a, b, ">=") >= 0; });
}

}  // namespace

void add_select_filters(BuiltinList& table) {
  table.insert(table.end(), {{"map", map},
                             {"select", select},
                             {"reject", reject},
                             {"selectattr", selectattr},
                             {"rejectattr", rejectattr}});
}

void add_tests(BuiltinList& table) {
  table.insert(table.end(), {{"defined", unary<is_defined>},
                             {"undefined", unary<is_undefined>},
                             {"none", unary<is_none>},
                             {"boolean", unary<is_boolean>},
                             {"true", unary<is_true>},
                             {"false", unary<is_false>},
                             {"integer", unary<is_integer>},
                             {"float", unary<is_float>},
                             {"number", unary<is_number>},
                             {"string", unary<is_string>},
                             {"mapping", unary<is_mapping>},
                             {"escaped", unary<is_escaped>},
                             {"callable", unary<is_callable>},
                             {"sequence", unary<is_sequence>},
                             {"iterable", unary<is_iterable>},
                             {"odd", is_odd},
                             {"even", is_even},
                             {"divisibleby", is_divisible},
                             {"lower", test_lower},
                             {"upper", test_upper},
                             {"sameas", same_as},
                             {"in", is_in},
                             {"filter", is_filter},
                             {"test", is_test}});
  table.insert(table.end(), {{"==", eq},
                             {"eq", eq},
                             {"equalto", eq},
                             {"!=", ne},
                             {"ne", ne},
                             {"<", lt},
                             {"lt", lt},
                             {"lessthan", lt},
                             {"<=", le},
                             {"le", le},
                             {">", gt},
                             {"gt", gt},
                             {"greaterthan", gt},
                             {">=", ge},
                             {"ge", ge}});
}

}  // namespace lathe::chat
