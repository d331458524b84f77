// What filters sort, group and select by.
#pragma once

#include <vector>

#include "lathe/text/chat/machine.h"

namespace lathe::chat {

/// "name.first.0" as a way into a value.
class AttributePath {
 public:
  /// Undefined: the value itself. With a fallback that is not undefined or None, it stands for
  /// what is missing on the way.
  explicit AttributePath(const Value& attribute, Value fallback = {});

  Value get(Machine& machine, const Value& item) const;

 private:
  std::vector<Value> parts_;
  Value fallback_;
};

/// Strings in lower case, the rest as it is.
Value without_case(Machine& machine, const Value& value);

struct SortItem {
  std::vector<Value> keys;
  Value item;
};

/// The items in rising order of their keys, equal ones in their order before.
std::vector<Value> sort_items(Machine& machine, std::vector<SortItem> items, bool reverse);

}  // namespace lathe::chat
