// From tokens back to text: "decoder" of a tokenizer.json.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/text/tokenize/json_tree.h"

namespace lathe::tokenize {

/// Immutable; any thread may use it.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Rewrites the tokens of a sequence; joined they are its text. Tokens may hold bytes that are no
  /// UTF-8, where byte tokens wrote them.
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// Null for null. Throws kUnsupported with the path for what is not known, kCorrupt.
std::unique_ptr<Decoder> read_decoder(const Json& part, const std::string& path);

}  // namespace lathe::tokenize
