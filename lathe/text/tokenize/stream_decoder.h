// Text while it is being generated: characters come whole even where tokens cut them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::tokenize {

/// Joined, what push() and finish() return is decode() of all ids, byte for byte; what push()
/// returns never ends inside a character. Not to be shared between threads.
class StreamDecoder {
 public:
  /// `before`: ids that the text continues, for example a prompt; they are not returned, and a word
  /// behind them keeps its space.
  explicit StreamDecoder(const Tokenizer& tokenizer, std::span<const std::int32_t> before = {});

  /// The text that is complete now; at most three bytes wait for the next token.
  /// Throws kInvalidArgument for an id that names nothing.
  std::string push(std::int32_t id);

  /// What still waits: the start of a character that never came to its end.
  std::string finish();

 private:
  std::string added_by(std::int32_t id);

  const Tokenizer& tokenizer_;
  std::vector<std::int32_t> window_;  // the last ids, where a token's text depends on those before
  std::string written_;               // decode(window_)
  std::string waiting_;
};

}  // namespace lathe::tokenize
