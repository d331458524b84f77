// Tokens that are found in the text as they are, before any merging: <|endoftext|> and the like.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::tokenize {

/// One entry of "added_tokens", fields as in the file.
struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool single_word = false;  // not where a letter or digit touches it
  bool lstrip = false;       // takes the spaces before it
  bool rstrip = false;       // takes the spaces behind it
  bool normalized = false;
  bool special = false;
};

/// Finds tokens in a text: at the leftmost place the longest. Immutable.
class AddedTokenFinder {
 public:
  AddedTokenFinder();

  /// Not with an empty content.
  void add(const AddedToken& token);

  bool empty() const { return nodes_.size() == 1; }

  struct Found {
    std::size_t begin, end;  // with the spaces that lstrip and rstrip take
    std::size_t resume;      // where to look on; an rstrip may reach beyond it
    std::int32_t id;
  };

  /// The first token at `from` or later; false where there is none. Special tokens are stepped
  /// over unless parse_special. `from` is 0 or where the token found before says to resume, and
  /// `taken` where that one ended: no lstrip reaches over it.
  bool find(std::string_view text, std::size_t from, std::size_t taken, bool parse_special,
            Found& found) const;

  /// Calls plain(part) for what lies between the tokens and token(id) for each, in order.
  template <typename Plain, typename Token>
  void each(std::string_view text, bool parse_special, const Plain& plain,
            const Token& token) const {
    std::size_t taken = 0;
    Found found{};
    while (find(text, found.resume, taken, parse_special, found)) {
      if (found.begin > taken) plain(text.substr(taken, found.begin - taken));
      token(found.id);
      taken = found.end;
    }
    if (taken < text.size()) plain(text.substr(taken));
  }

 private:
  struct Node {
    std::int32_t token = -1;  // index in tokens_
    std::vector<std::pair<unsigned char, std::uint32_t>> next;
  };
  const std::uint32_t* step(const Node& node, unsigned char byte) const;
  std::int32_t longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<bool, 256> starts_{};
  int only_start_ = -1;  // the one byte that starts every token; -1: several
};

}  // namespace lathe::tokenize
