// Attributes of an op call, erased: a small plain struct with fields().
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>

#include "lathe/base/error.h"
#include "lathe/base/fields.h"

namespace lathe::ops {

/// Holds one attribute struct of at most 96 trivially copyable bytes, by value.
class Attrs {
 public:
  Attrs() = default;

  template <typename T>
    requires(!std::same_as<T, Attrs>)
  Attrs(const T& value)
      : type_(&kType<T>) {  // NOLINT: implicit, so that apply(def, in, {axis}) reads well
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(data_));
    new (data_) T(value);
  }

  /// The struct. Throws Internal when another type is held.
  template <typename T>
  const T& as() const {
    LATHE_CHECK(type_ == &kType<T>);
    return *std::launder(reinterpret_cast<const T*>(data_));
  }

  bool empty() const { return type_ == nullptr; }

  /// Same type, same bytes (padding included, so that equal ones may rarely count as different).
  friend bool operator==(const Attrs& a, const Attrs& b) {
    return a.type_ == b.type_ && std::memcmp(a.data_, b.data_, sizeof(a.data_)) == 0;
  }

  /// Visits the members by name (for printing and serialising).
  void fields(Fields& f) {
    if (type_ != nullptr) type_->visit(data_, f);
  }

 private:
  struct Type {
    void (*visit)(void*, Fields&);
  };
  template <typename T>
  static void visit_as(void* data, Fields& f) {
    std::launder(static_cast<T*>(data))->fields(f);
  }
  template <typename T>
  static constexpr Type kType{&visit_as<T>};

  alignas(8) std::byte data_[96] = {};
  const Type* type_ = nullptr;
};

}  // namespace lathe::ops
