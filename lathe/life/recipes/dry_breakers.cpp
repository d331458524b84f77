#include "lathe/life/recipes/dry_breakers.h"

#include <algorithm>
#include <set>

namespace lathe::recipes {
namespace {

constexpr std::size_t kLongest = 20;  // tokens of a rest, as llama.cpp cuts them

using Sequences = std::set<std::vector<std::int32_t>>;

/// Adds the ways in which `text` can begin inside the token.
void add_overlaps(const tokenize::Tokenizer& tokenizer, std::int32_t id, const std::string& text,
                  Sequences& found) {
  const std::string_view token = tokenizer.token_bytes(id);
  if (token.find(text) != std::string_view::npos) {
    found.insert({id});
    return;
  }
  const std::size_t most = std::min(token.size(), text.size() - 1);
  for (std::size_t n = 1; n <= most; ++n) {
    if (token.substr(token.size() - n) != std::string_view(text).substr(0, n)) continue;
    std::vector<std::int32_t> rest = tokenizer.encode(std::string_view(text).substr(n));
    if (rest.size() > kLongest) rest.resize(kLongest);
    rest.insert(rest.begin(), id);
    found.insert(std::move(rest));
  }
}

}  // namespace

std::vector<std::string> default_dry_breakers() { return {"\n", ":", "\"", "*"}; }

std::vector<std::vector<std::int32_t>> dry_breaker_tokens(const tokenize::Tokenizer& tokenizer,
                                                          const std::vector<std::string>& strings) {
  Sequences found;
  for (const std::string& text : strings) {
    if (text.empty()) continue;
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(tokenizer.vocab_size()); ++id)
      if (tokenizer.has_id(id)) add_overlaps(tokenizer, id, text, found);
  }
  return {found.begin(), found.end()};
}

}  // namespace lathe::recipes
