// The values of a template: what Python's are, as far as templates can see them.
//
// Values are immutable once made and shared by reference. What changes while a template runs
// (namespaces, loops, scopes) belongs to the Machine and is only pointed to, so references never
// form a circle.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/base/tree.h"
#include "lathe/text/chat/text.h"

namespace lathe::chat {

class Heap;
class Machine;
class Value;
struct Arguments;
struct Macro;
struct Namespace;
struct LoopState;

enum class Kind : std::uint8_t {
  undefined,
  none,
  boolean,
  integer,
  real,
  text,
  list,
  tuple,
  dict,
  range,
  view,       // what dict.items(), keys() and values() give
  generator,  // can be walked through once
  name_space,
  loop,
  macro,
  function,  // a global, a method with its receiver, an object of cycler() or joiner()
};

/// What values share. Counts itself in the heap that it was made in.
struct Object {
  virtual ~Object();
  Heap* heap = nullptr;
  std::size_t bytes = 0;
  int depth = 1;           // of nesting: 1 + that of the deepest thing inside
  std::size_t weight = 1;  // bytes to go through to see all of it, shared parts each time
};

using Builtin = Value (*)(Machine&, const Value& self, Arguments&);

class Value {
 public:
  Value() = default;  // undefined, of no name
  static Value none();
  static Value of(bool value);
  static Value of(std::int64_t value);
  static Value of(double value);
  /// An object of the kind's class, see below.
  static Value of(Kind kind, std::shared_ptr<const Object> object);
  static Value of(Namespace& target);
  static Value of(LoopState& target);
  static Value of(const Macro& target);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_text() const { return kind_ == Kind::text; }
  bool is_undefined() const { return kind_ == Kind::undefined; }
  bool is_none() const { return kind_ == Kind::none; }
  /// A list or a tuple.
  bool is_sequence() const { return kind_ == Kind::list || kind_ == Kind::tuple; }
  /// A boolean counts as an integer, as in Python.
  bool is_integral() const { return kind_ == Kind::integer || kind_ == Kind::boolean; }
  bool is_number() const { return is_integral() || kind_ == Kind::real; }

  // REQUIRES, for each: the kind.
  bool boolean() const { return number_ != 0; }
  std::int64_t integer() const { return number_; }  // of is_integral()
  double real() const;                              // of is_number()
  const Text& text() const;
  bool is_markup() const;
  const std::vector<Value>& items() const;  // of is_sequence()
  Namespace& name_space() const { return *static_cast<Namespace*>(target_); }
  LoopState& loop() const { return *static_cast<LoopState*>(target_); }
  const Macro& macro() const { return *static_cast<const Macro*>(target_); }

  template <typename T>
  const T& as() const {
    return static_cast<const T&>(*object_);
  }
  const Object* object() const { return object_.get(); }
  int depth() const { return object_ ? object_->depth : 0; }
  std::size_t weight() const { return object_ ? object_->weight : 8; }

 private:
  Kind kind_ = Kind::undefined;
  union {
    std::int64_t number_ = 0;
    double real_;
    void* target_;
  };
  std::shared_ptr<const Object> object_;
};

struct UndefinedObject final : Object {
  std::string message;  // what an operation on it says
};

struct TextObject final : Object {
  Text text;
  bool markup = false;  // made by the filter safe
};

struct ListObject final : Object {
  std::vector<Value> items;
  bool is_group = false;  // of the filter groupby: has .grouper and .list
};

/// Members in the order of their first insertion. Keys are what Python can hash.
struct DictObject final : Object {
  std::vector<std::pair<Value, Value>> items;
  std::vector<std::uint32_t> table;  // open-addressed, index + 1; empty while the dict is small

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  /// Replaces the value of a key that is there. Only while the dict is being made.
  void set(const Value& key, const Value& value);

 private:
  std::size_t position(const Value& key, std::size_t hash) const;
  void rebuild();
};

struct RangeObject final : Object {
  std::int64_t start = 0, stop = 0, step = 1;
  std::int64_t size() const;
};

struct ViewObject final : Object {
  enum class Of { items, keys, values } of = Of::items;
  Value dict;
};

struct GeneratorObject final : Object {
  std::vector<Value> items;
  mutable std::size_t next = 0;
};

struct FunctionObject final : Object {
  std::string name;
  Builtin call = nullptr;
  Value self;                     // the receiver of a method
  bool is_object = false;         // called with itself: an object of cycler() or joiner()
  mutable std::size_t state = 0;  // of cycler and joiner: how often they were asked
};

/// Positional and keyword arguments of a call.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Python's own operations. They throw kInvalidArgument with Python's message.

/// "str", "dict", "NoneType", ...
std::string_view type_name(const Value& value);

bool truth(const Value& value);
bool equal(const Value& a, const Value& b);
/// -1, 0 or 1; values without an order throw, `op` is for the message.
int compare(const Value& a, const Value& b, std::string_view op);
/// Throws for lists, dicts and what holds them.
std::size_t hash(const Value& value);

/// The text of str(value).
Text to_text(const Value& value);
/// The text of repr(value).
Text to_repr(const Value& value);
/// repr() of a double: the shortest digits that read back.
std::string print_real(double value);

/// The characters of a Python string literal for `text`, in the trust of `text`.
Text quoted(const Text& text);

}  // namespace lathe::chat
