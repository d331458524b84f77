// Value-or-error for failures that are ordinary input (a bad JSONL line, invalid UTF-8).
// A small twin of std::expected, which g++ 12 does not have; same names.
#pragma once

#include <utility>
#include <variant>

#include "lathe/base/error.h"

namespace lathe {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  /// The value. Throws the held Error when there is none.
  T& value() & {
    if (!has_value()) throw std::get<1>(state_);
    return std::get<0>(state_);
  }
  const T& value() const& { return const_cast<Result*>(this)->value(); }
  T&& value() && { return std::move(value()); }

  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }

  /// REQUIRES: !has_value().
  const Error& error() const { return std::get<1>(state_); }

  T value_or(T other) const { return has_value() ? **this : std::move(other); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace lathe
