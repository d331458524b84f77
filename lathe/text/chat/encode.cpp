#include <algorithm>

#include "lathe/text/chat/chat_template.h"
#include "lathe/text/chat/special_finder.h"

namespace lathe::chat {

std::vector<std::int32_t> encode(const Rendered& rendered, const tokenize::Tokenizer& tokenizer) {
  const Text& text = rendered.text;
  const SpecialFinder finder(tokenizer);
  // Where strangers have not written a special token's name, the text is encoded as a whole.
  const std::vector<SpecialFinder::Found> found = finder.find_all(text);
  const bool all_trusted =
      std::all_of(found.begin(), found.end(), [](const auto& f) { return f.trusted; });
  if (all_trusted) return tokenizer.encode(text.view(), true);
  std::vector<std::int32_t> ids;
  std::size_t done = 0;
  for (const SpecialFinder::Found& special : found) {
    if (!special.trusted) continue;
    tokenizer.encode_to(text.view().substr(done, special.begin - done), false, ids);
    tokenizer.encode_to(text.view().substr(special.begin, special.end - special.begin), true, ids);
    done = special.end;
  }
  tokenizer.encode_to(text.view().substr(done), false, ids);
  return ids;
}

}  // namespace lathe::chat
