#include "lathe/life/recipes/stop_strings.h"

#include <algorithm>
#include <utility>

namespace lathe::recipes {
namespace {

/// Source: Knuth, Morris, Pratt 1977, "Fast pattern matching in strings".
std::vector<std::size_t> borders_of(const std::string& text) {
  std::vector<std::size_t> borders(text.size(), 0);
  for (std::size_t i = 1; i < text.size(); ++i) {
    std::size_t n = borders[i - 1];
    while (n > 0 && text[n] != text[i]) n = borders[n - 1];
    borders[i] = text[n] == text[i] ? n + 1 : 0;
  }
  return borders;
}

}  // namespace

StopStrings::StopStrings(const std::vector<std::string>& strings) {
  for (const std::string& text : strings)
    if (!text.empty()) patterns_.push_back({.text = text, .borders = borders_of(text)});
}

std::string StopStrings::push(std::string_view text) {
  if (matched()) return {};
  for (const char c : text) {
    waiting_ += c;
    for (Pattern& p : patterns_) {
      while (p.at > 0 && p.text[p.at] != c) p.at = p.borders[p.at - 1];
      if (p.text[p.at] == c) ++p.at;
      if (p.at < p.text.size()) continue;
      if (p.text.size() > match_.size()) match_ = p.text;
      p.at = p.borders[p.at - 1];
    }
    if (matched()) {
      waiting_.resize(waiting_.size() - match_.size());
      return std::exchange(waiting_, {});
    }
  }
  std::size_t held = 0;
  for (const Pattern& p : patterns_) held = std::max(held, p.at);
  std::string shown = waiting_.substr(0, waiting_.size() - held);
  waiting_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::finish() { return std::exchange(waiting_, {}); }

}  // namespace lathe::recipes
