// A struct names its members once; TOML, --set, JSON, help and checkpoints all read that list.
//
//   struct ScheduleConfig {
//     std::string kind = "cosine";
//     std::int64_t warmup_tokens = 0;
//     void fields(Fields& f) {
//       f("kind", kind, "shape of the learning rate over the run", one_of({"cosine", "wsd"}));
//       f("warmup_tokens", warmup_tokens, "tokens of linear warm-up", in_range(0, 1e15));
//     }
//   };
//
// A nested struct with fields() is a table; std::vector of such a struct is an array of tables,
// whose elements may be written as plain strings when the first field is a string;
// std::optional<T> is a key that may be absent.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe {

/// What a value must satisfy; checked by readers, printed by `lathe explain`. For a list it holds
/// for every element.
struct Constraint {
  static constexpr double kNoBound = 1e300;  // and the negative of it

  std::vector<std::string> choices;  // empty: any string
  double low = -kNoBound, high = kNoBound;
};
inline Constraint one_of(std::vector<std::string> choices) {
  return {.choices = std::move(choices)};
}
inline Constraint in_range(double low, double high) { return {.low = low, .high = high}; }

struct FieldInfo {
  std::string_view name;
  std::string_view help;  // unit included: "tokens of linear warm-up"
  Constraint constraint;
};

class Fields;

template <typename T>
concept HasFields = requires(T value, Fields& f) { value.fields(f); };

/// Visitor over the finite set of value kinds.
class Fields {
 public:
  virtual ~Fields() = default;

  template <typename T>
  void operator()(std::string_view name, T& value, std::string_view help = {}, Constraint c = {}) {
    const FieldInfo info{name, help, std::move(c)};
    visit_any(info, value);
  }

 protected:
  virtual void visit(const FieldInfo&, bool&) = 0;
  virtual void visit(const FieldInfo&, std::int64_t&) = 0;
  virtual void visit(const FieldInfo&, double&) = 0;
  virtual void visit(const FieldInfo&, std::string&) = 0;
  virtual void visit(const FieldInfo&, std::vector<std::int64_t>&) = 0;
  virtual void visit(const FieldInfo&, std::vector<double>&) = 0;
  virtual void visit(const FieldInfo&, std::vector<std::string>&) = 0;

  /// A table. `inside` visits its members with the given visitor. `present` is null for a table
  /// that always exists; otherwise the reader sets it and the writer obeys it (std::optional).
  virtual void visit_table(const FieldInfo&, bool* present,
                           const std::function<void(Fields&)>& inside) = 0;

  /// An array of tables. `resize(n)` is called by readers; `size` is what writers see;
  /// `at(i, f)` visits element i.
  virtual void visit_tables(const FieldInfo&, std::size_t size,
                            const std::function<void(std::size_t)>& resize,
                            const std::function<void(std::size_t, Fields&)>& at) = 0;

  /// An optional scalar: readers that find the key set `present` and then visit the value;
  /// writers visit the value only when present.
  virtual void visit_optional(const FieldInfo&, bool& present,
                              const std::function<void(Fields&)>& value) = 0;

 private:
  template <typename T>
  void visit_any(const FieldInfo& info, T& value) {
    if constexpr (HasFields<T>) {
      visit_table(info, nullptr, [&](Fields& f) { value.fields(f); });
    } else if constexpr (requires {
                           typename T::value_type;
                           value.has_value();
                         }) {
      visit_optional_of(info, value);
    } else if constexpr (requires { requires HasFields<typename T::value_type>; }) {
      visit_tables(
          info, value.size(), [&](std::size_t n) { value.resize(n); },
          [&](std::size_t i, Fields& f) { value[i].fields(f); });
    } else if constexpr (std::same_as<T, int>) {
      FieldInfo bounded = info;
      bounded.constraint.low =
          std::max<double>(info.constraint.low, std::numeric_limits<int>::min());
      bounded.constraint.high =
          std::min<double>(info.constraint.high, std::numeric_limits<int>::max());
      std::int64_t wide = value;
      visit(bounded, wide);
      value = static_cast<int>(wide);
    } else {
      visit(info, value);
    }
  }

  template <typename T>
  void visit_optional_of(const FieldInfo& info, std::optional<T>& value) {
    if constexpr (HasFields<T>) {
      bool present = value.has_value();
      T inner = value.value_or(T{});
      visit_table(info, &present, [&](Fields& f) { inner.fields(f); });
      value = present ? std::optional<T>(std::move(inner)) : std::nullopt;
    } else {
      bool present = value.has_value();
      T inner = value.value_or(T{});
      visit_optional(info, present,
                     [&](Fields& f) { f(info.name, inner, info.help, info.constraint); });
      value = present ? std::optional<T>(std::move(inner)) : std::nullopt;
    }
  }
};

/// Any struct with fields(), without its type: calling it visits the members. This is what the
/// readers and writers in toml.h, json.h and explain.h take, so that they are compiled once.
using FieldsOf = std::function<void(Fields&)>;

/// The value must outlive the result.
template <HasFields T>
FieldsOf fields_of(T& value) {
  return [&value](Fields& f) { value.fields(f); };
}

}  // namespace lathe
