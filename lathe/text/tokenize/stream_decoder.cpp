#include "lathe/text/tokenize/stream_decoder.h"

#include <utility>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

std::string StreamDecoder::push(std::int32_t id) {
  waiting_ += tokenizer_.token_bytes(id);
  std::string ready = std::move(waiting_);
  const std::size_t complete = ready.size() - unfinished_suffix(ready);
  waiting_ = ready.substr(complete);
  ready.resize(complete);
  return ready;
}

std::string StreamDecoder::finish() { return std::exchange(waiting_, {}); }

}  // namespace lathe::tokenize
