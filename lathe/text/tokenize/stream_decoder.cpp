#include "lathe/text/tokenize/stream_decoder.h"

#include <utility>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

// No decoder looks back further than to the token before, or forward than to the end of the text.
constexpr std::size_t kShortWindow = 4, kLongWindow = 16;

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, std::span<const std::int32_t> before)
    : tokenizer_(tokenizer) {
  if (tokenizer.decodes_by_token()) return;
  const std::span<const std::int32_t> last =
      before.subspan(before.size() - std::min(before.size(), kShortWindow));
  window_.assign(last.begin(), last.end());
  written_ = tokenizer.decode(window_);
}

std::string StreamDecoder::added_by(std::int32_t id) {
  if (tokenizer_.decodes_by_token()) return std::string(tokenizer_.token_bytes(id));
  if (window_.size() == kLongWindow) {
    window_.erase(window_.begin(), window_.end() - kShortWindow);
    written_ = tokenizer_.decode(window_);
  }
  window_.push_back(id);
  std::string text = tokenizer_.decode(window_);
  // Where the end of a text is written otherwise than its middle, the difference is given up.
  std::string added = text.starts_with(written_) ? text.substr(written_.size()) : std::string();
  if (text.size() >= written_.size()) written_ = std::move(text);
  return added;
}

std::string StreamDecoder::push(std::int32_t id) {
  waiting_ += added_by(id);
  std::string ready = std::move(waiting_);
  const std::size_t complete = ready.size() - unfinished_suffix(ready);
  waiting_ = ready.substr(complete);
  ready.resize(complete);
  return ready;
}

std::string StreamDecoder::finish() { return std::exchange(waiting_, {}); }

}  // namespace lathe::tokenize
