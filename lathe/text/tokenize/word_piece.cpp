#include "lathe/text/tokenize/word_piece.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::tokenize {
namespace {

using Keys = std::vector<std::pair<std::string, std::int32_t>>;

Keys continuations_of(const WordPieceSpec& spec) {
  Keys keys;
  for (const auto& [text, id] : spec.vocab)
    if (text.starts_with(spec.continuing_subword_prefix))
      keys.emplace_back(text.substr(spec.continuing_subword_prefix.size()), id);
  return keys;
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

WordPiece::WordPiece(const WordPieceSpec& spec)
    : starts_(spec.vocab),
      continuations_(continuations_of(spec)),
      unknown_(-1),
      most_characters_(
          static_cast<std::size_t>(std::max<std::int64_t>(0, spec.max_input_chars_per_word))) {
  for (const auto& [text, id] : spec.vocab)
    if (text == spec.unknown) unknown_ = id;
}

void WordPiece::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  const std::size_t begin = ids.size();
  std::size_t p = 0;
  if (characters_of(piece) <= most_characters_) {
    while (p < piece.size()) {
      const Trie::Found found = (p == 0 ? starts_ : continuations_).longest(piece.substr(p));
      if (found.size == 0) break;
      ids.push_back(found.value);
      p += found.size;
    }
  }
  if (p == piece.size()) return;
  ids.resize(begin);
  if (unknown_ < 0)
    fail(ErrorCode::kInvalidArgument,
         "text: '{}' has no tokens, and the tokenizer none for what is unknown",
         piece.substr(0, 80));
  ids.push_back(unknown_);
}

WordLevel::WordLevel(const Keys& vocab, const std::string& unknown) {
  words_.resize(vocab.size());
  for (const auto& [text, id] : vocab) words_.insert(text, id);
  unknown_ = words_.find(unknown, hash_word(unknown));
}

void WordLevel::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  std::int32_t id = words_.find(piece, hash_word(piece));
  if (id < 0) id = unknown_;
  if (id < 0)
    fail(ErrorCode::kInvalidArgument,
         "text: '{}' has no token, and the tokenizer none for what is unknown",
         piece.substr(0, 80));
  ids.push_back(id);
}

}  // namespace lathe::tokenize
