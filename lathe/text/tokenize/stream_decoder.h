// Text while it is being generated: characters come whole even where tokens cut them.
#pragma once

#include <cstdint>
#include <string>

#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::tokenize {

/// Joined, what push() and finish() return is decode() of all ids, byte for byte; what push()
/// returns never ends inside a character. Not to be shared between threads.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// The text that is complete now; at most three bytes wait for the next token.
  /// Throws kInvalidArgument for an id that names nothing.
  std::string push(std::int32_t id);

  /// What still waits: the start of a character that never came to its end.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string waiting_;
};

}  // namespace lathe::tokenize
