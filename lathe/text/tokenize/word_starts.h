// U+2581, the mark that SentencePiece writes for a space.
#pragma once

#include <string_view>

namespace lathe::tokenize {

inline constexpr std::string_view kWordMark = "\xE2\x96\x81";

/// Calls use(word) for the stretches of `text` that begin with a mark behind something else than a
/// mark. Joined they are the text.
template <typename Use>
void each_marked_word(std::string_view text, const Use& use) {
  std::size_t begin = 0, at = text.find(kWordMark);
  while (at != std::string_view::npos) {
    if (at > begin) {
      use(text.substr(begin, at - begin));
      begin = at;
    }
    while (text.substr(at).starts_with(kWordMark)) at += kWordMark.size();
    at = text.find(kWordMark, at);
  }
  if (begin < text.size()) use(text.substr(begin));
}

}  // namespace lathe::tokenize
