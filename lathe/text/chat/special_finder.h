// Names of special tokens in a text.
#pragma once

#include <string>
#include <vector>

#include "lathe/text/chat/text.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::chat {

class SpecialFinder {
 public:
  explicit SpecialFinder(const tokenize::Tokenizer& tokenizer);

  struct Found {
    std::size_t begin, end;
    bool trusted;  // every byte is the template's
  };
  /// At each place the longest name, none inside another. Names that a template wrote go first:
  /// what a stranger writes around them hides nothing.
  std::vector<Found> find_all(const Text& text) const;

 private:
  std::size_t longest_at(std::string_view text) const;
  void find_in(const Text& text, std::size_t begin, std::size_t end, bool trusted,
               std::vector<Found>& found) const;

  std::vector<std::string> names_;  // sorted
  bool starts_[256] = {};
};

}  // namespace lathe::chat
