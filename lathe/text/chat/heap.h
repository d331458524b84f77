// Where values are made: counts steps and memory, and stops a template that takes too much.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/text/chat/value.h"

namespace lathe::chat {

/// How much a template may do. What it is given to lay out raises the first two.
struct Limits {
  std::int64_t steps = 20'000'000;  // a step: one part of the template evaluated, 64 bytes copied
  std::size_t memory = 256u << 20;  // bytes alive at a time
  std::size_t text = 64u << 20;     // bytes of one string or of the output
  int calls = 200;                  // macros inside macros
};

/// Values made here must die before it.
class Heap {
 public:
  explicit Heap(const Limits& limits) : limits_(limits), steps_left_(limits.steps) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Throws kInvalidArgument when the steps are used up.
  void step(std::int64_t count = 1) {
    steps_left_ -= count;
    if (steps_left_ < 0) out_of_steps();
  }
  /// The work of handling so many bytes.
  void work(std::size_t bytes) { step(1 + static_cast<std::int64_t>(bytes / 64)); }
  /// The work of going through all of a value. Throws too where its text would be too long.
  void visit(const Value& value) {
    work(value.weight());
    if (!value.is_text()) check_text(value.weight());
  }
  /// The work of finding out whether two values are equal.
  void compare(const Value& a, const Value& b) {
    if (a.is_text() && b.is_text())
      work(a.text().size() == b.text().size() ? a.text().size() : 0);
    else
      work(std::min(a.weight(), b.weight()));
  }
  /// Throws where a text of so many bytes is not to be made.
  void check_text(std::size_t bytes) const;
  /// As check_text, for `count` times `bytes`.
  void check_text(std::size_t bytes, std::int64_t count) const;
  /// Memory that lives until the end.
  void keep(std::size_t bytes);

  const Limits& limits() const { return limits_; }

  Value text(Text text, bool markup = false);
  Value text(std::string_view bytes, Trust trust = Trust::author) {
    return this->text(Text(std::string(bytes), trust));
  }
  Value list(std::vector<Value> items) { return sequence(Kind::list, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Kind::tuple, std::move(items)); }
  /// What groupby() makes of a group.
  Value group(Value key, Value items);
  /// A key that stands twice has its last value.
  Value dict(std::vector<std::pair<Value, Value>> items);
  Value range(std::int64_t start, std::int64_t stop, std::int64_t step);
  Value view(const Value& dict, ViewObject::Of of);
  Value generator(std::vector<Value> items);
  Value function(std::string_view name, Builtin call, Value self = {}, bool is_object = false);
  Value undefined(std::string message);

  /// JSON as Python's json.loads reads it. Every string in it is of `trust`; the roles of
  /// messages are not treated apart here.
  Value from_tree(const Tree& tree, Trust trust);

  /// What the caller gives is not counted against the template, and raises its limits.
  class Input;

 private:
  friend struct Object;
  [[noreturn]] void out_of_steps() const;
  struct Size {
    std::size_t bytes = 0, weight = 0;
    int depth = 0;  // of what is inside
    void hold(const Value& value);
  };
  template <typename T>
  std::shared_ptr<T> make(Size size);
  Value sequence(Kind kind, std::vector<Value> items, bool is_group = false);

  Limits limits_;
  std::int64_t steps_left_;
  std::size_t live_ = 0;
  bool input_ = false;
};

/// While it lives, the heap takes in what the caller gives.
class Heap::Input {
 public:
  explicit Input(Heap& heap) : heap_(heap) { heap_.input_ = true; }
  ~Input() { heap_.input_ = false; }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

 private:
  Heap& heap_;
};

}  // namespace lathe::chat
