// What turns one piece of a text into ids: "model" of a tokenizer.json.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lathe::tokenize {

/// Immutable; any thread may use it.
class WordModel {
 public:
  virtual ~WordModel() = default;

  /// Appends the ids of `piece`, which is valid UTF-8 and not empty. Throws kInvalidArgument where
  /// the model has no token for it, not even an unknown one.
  virtual void encode(std::string_view piece, std::vector<std::int32_t>& ids) const = 0;
};

}  // namespace lathe::tokenize
