// What is done to a text before it is cut: "normalizer" of a tokenizer.json.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "lathe/text/tokenize/json_tree.h"

namespace lathe::tokenize {

/// A text on its way, valid UTF-8.
struct NormalText {
  std::string text;
  /// Bytes at the beginning that come from the first character of the whole input: what Metaspace
  /// calls "first". 0 for a part of the input that starts later.
  std::size_t head = 0;
};

/// Immutable; any thread may use it.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(NormalText& text) const = 0;
};

/// Null for null. Throws kUnsupported with the path for what is not known, kCorrupt.
std::unique_ptr<Normalizer> read_normalizer(const Json& normalizer, const std::string& path);

}  // namespace lathe::tokenize
