// Typed values out of a parsed JSON or TOML tree. Internal to this folder.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "lathe/base/tree.h"

namespace lathe::runs {

inline bool is_number(const Tree& value) {
  return value.kind == Tree::Kind::integer || value.kind == Tree::Kind::real;
}

/// REQUIRES: is_number(value).
inline double number_of(const Tree& value) {
  return value.kind == Tree::Kind::integer ? static_cast<double>(value.integer) : value.real;
}

/// Each of these takes a value and says whether it has the right type. null is NaN.
inline bool take(const Tree& value, double& out) {
  if (value.kind == Tree::Kind::null) return out = std::nan(""), true;
  if (!is_number(value)) return false;
  return out = number_of(value), true;
}

/// Counts: negative numbers are refused.
inline bool take(const Tree& value, std::int64_t& out) {
  if (value.kind != Tree::Kind::integer || value.integer < 0) return false;
  return out = value.integer, true;
}

inline bool take(const Tree& value, std::string& out) {
  if (value.kind != Tree::Kind::string) return false;
  return out = value.text, true;
}

template <typename T>
bool take(const Tree& value, std::optional<T>& out) {
  const bool no_null = !std::is_same_v<T, double>;
  if (no_null && value.kind == Tree::Kind::null) return out = std::nullopt, true;
  T inner{};
  const bool ok = take(value, inner);
  if (ok) out = std::move(inner);
  return ok;
}

/// A tree value of a member, null for an absent optional.
template <typename T>
Tree tree_of(const T& value) {
  if constexpr (requires { value.has_value(); }) {
    return value ? tree_of(*value) : Tree();
  } else {
    return Tree::of(value);
  }
}

}  // namespace lathe::runs
