#include "lathe/text/chat/special_finder.h"

#include <algorithm>

namespace lathe::chat {

SpecialFinder::SpecialFinder(const tokenize::Tokenizer& tokenizer) {
  const auto size = static_cast<std::int32_t>(tokenizer.vocab_size());
  for (std::int32_t id = 0; id < size; ++id)
    if (tokenizer.is_special(id)) names_.emplace_back(tokenizer.token_bytes(id));
  std::sort(names_.begin(), names_.end());
  for (const std::string& name : names_)
    if (!name.empty()) starts_[static_cast<unsigned char>(name[0])] = true;
}

/// Bytes of the longest name that begins the text, 0 if none does.
std::size_t SpecialFinder::longest_at(std::string_view text) const {
  std::size_t longest = 0;
  auto first = names_.begin(), last = names_.end();
  for (std::size_t at = 0; at < text.size() && first != last; ++at) {
    // Of the names that begin like the text, those whose next byte is the text's.
    const auto byte = [at](const std::string& name) {
      return at < name.size() ? static_cast<unsigned char>(name[at]) : -1;
    };
    const int wanted = static_cast<unsigned char>(text[at]);
    first =
        std::partition_point(first, last, [&](const auto& name) { return byte(name) < wanted; });
    last =
        std::partition_point(first, last, [&](const auto& name) { return byte(name) == wanted; });
    if (first != last && first->size() == at + 1) longest = at + 1;
  }
  return longest;
}

void SpecialFinder::find_in(const Text& text, std::size_t begin, std::size_t end, bool trusted,
                            std::vector<Found>& found) const {
  for (std::size_t at = begin; at < end; ++at) {
    if (!starts_[static_cast<unsigned char>(text.view()[at])]) continue;
    const std::size_t size = longest_at(text.view().substr(at, end - at));
    if (size == 0) continue;
    found.push_back({at, at + size, trusted});
    at += size - 1;
  }
}

std::vector<SpecialFinder::Found> SpecialFinder::find_all(const Text& text) const {
  std::vector<Found> trusted, all;
  for (const Text::Run& run : text.runs())
    if (run.trust == Trust::author) find_in(text, run.begin, run.end, true, trusted);
  std::size_t done = 0;
  for (const Found& found : trusted) {
    find_in(text, done, found.begin, false, all);
    all.push_back(found);
    done = found.end;
  }
  find_in(text, done, text.size(), false, all);
  return all;
}

}  // namespace lathe::chat
