#include "lathe/text/tokenize/sentencepiece.h"

#include <algorithm>
#include <limits>
#include <queue>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_tokens.h"
#include "lathe/text/tokenize/regex.h"
#include "lathe/text/tokenize/unicode.h"
#include "lathe/text/tokenize/word_starts.h"

namespace lathe::tokenize {
namespace {

constexpr double kUnknownPenalty = 10;       // below the least probable piece
constexpr std::size_t kLongestPiece = 4096;  // bytes

std::string with_spaces(std::string_view piece) {
  std::string out;
  while (!piece.empty()) {
    const bool mark = piece.starts_with(kWordMark);
    out += mark ? ' ' : piece[0];
    piece.remove_prefix(mark ? kWordMark.size() : 1);
  }
  return out;
}

}  // namespace

SentencePiece::SentencePiece(SentencePieceSpec spec)
    : spec_(std::move(spec)), charsmap_(spec_.charsmap, "precompiled_charsmap") {
  for (const std::int32_t id : {spec_.unknown, spec_.bos, spec_.eos, spec_.padding})
    if (id < -1 || id >= vocab_size())
      fail(ErrorCode::kCorrupt, "special token: expected one of the {} ids, got {}", vocab_size(),
           id);
  read_pieces();
  cut_at_words_ = !spec_.unigram && no_piece_crosses_words();
  const auto set = [&](Role role, std::int32_t id) {
    if (id >= 0) set_role(role, id);
  };
  set(Role::kUnknown, spec_.unknown);
  set(Role::kBos, spec_.bos);
  set(Role::kEos, spec_.eos);
  set(Role::kPadding, spec_.padding);
  if (spec_.add_bos && spec_.bos >= 0) prefix_ = {spec_.bos};
  if (spec_.add_eos && spec_.eos >= 0) suffix_ = {spec_.eos};
}

bool SentencePiece::is_usable(TokenType type) const {
  return type == TokenType::kNormal || type == TokenType::kUserDefined ||
         type == TokenType::kUnused;
}

void SentencePiece::read_pieces() {
  std::vector<std::pair<std::string, std::int32_t>> user_defined, usable;
  // SentencePiece looks for the greatest score from the least positive number on, so that negative
  // ones do not count.
  double least = std::numeric_limits<double>::max(), most = std::numeric_limits<float>::min();
  words_.resize(spec_.pieces.size());
  names_.resize(spec_.pieces.size());
  for (std::size_t i = 0; i < spec_.pieces.size(); ++i) {
    const SentencePieceSpec::Piece& piece = spec_.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    const std::optional<std::uint8_t> byte = byte_of_token(piece.text);
    const bool is_byte = piece.type == TokenType::kByte && byte;
    const bool by_name = piece.type == TokenType::kControl || piece.type == TokenType::kUnknown;
    written_.push_back(is_byte   ? std::string(1, static_cast<char>(*byte))
                       : by_name ? piece.text
                                 : with_spaces(piece.text));
    if (piece.text.empty()) continue;
    if (valid_prefix(piece.text) != piece.text.size())
      fail(ErrorCode::kCorrupt, "piece {}: expected UTF-8", id);
    if (piece.text.size() > kLongestPiece)
      fail(ErrorCode::kUnsupported, "piece {}: expected at most {} bytes, got {}", id,
           kLongestPiece, piece.text.size());
    if (names_.find(piece.text, hash_word(piece.text)) >= 0)
      fail(ErrorCode::kCorrupt, "piece {}: '{}' stands twice", id, piece.text);
    names_.insert(piece.text, id);
    if (piece.type == TokenType::kUserDefined) user_defined.emplace_back(piece.text, id);
    if (piece.type == TokenType::kControl ||
        (spec_.like_llama_cpp && (piece.type == TokenType::kUserDefined || by_name)))
      special_.add({.id = id,
                    .content = piece.type == TokenType::kUserDefined ? written_.back() : piece.text,
                    .special = piece.type != TokenType::kUserDefined});
    if (!is_usable(piece.type)) continue;
    words_.insert(piece.text, id);
    longest_ = std::max(longest_, piece.text.size());
    if (piece.type == TokenType::kNormal) {
      least = std::min<double>(least, piece.score);
      most = std::max<double>(most, piece.score);
    }
    if (piece.type != TokenType::kUnused || spec_.like_llama_cpp)
      usable.emplace_back(piece.text, id);
  }
  unknown_score_ = static_cast<float>(least) - kUnknownPenalty;
  user_score_ = static_cast<float>(most);
  user_defined_ = Trie(std::move(user_defined));
  if (spec_.unigram) trie_ = Trie(std::move(usable));
  byte_ids_ = byte_token_ids([this](const std::string& token) {
    const std::int32_t id = names_.find(token, hash_word(token));
    return id >= 0 && spec_.pieces[static_cast<std::size_t>(id)].type == TokenType::kByte ? id : -1;
  });
  byte_fallback_ = spec_.byte_fallback || spec_.like_llama_cpp;
  byte_fallback_ = byte_fallback_ && *std::min_element(byte_ids_.begin(), byte_ids_.end()) >= 0;
}

/// Whether each word may be merged by itself (as in CharBpe).
bool SentencePiece::no_piece_crosses_words() const {
  for (const SentencePieceSpec::Piece& piece : spec_.pieces) {
    if (!is_usable(piece.type)) continue;
    int words = 0;
    each_marked_word(piece.text, [&](std::string_view) { ++words; });
    if (words > 1) return false;
  }
  return spec_.escape_whitespaces && usable_id(kWordMark) >= 0;
}

std::optional<std::int32_t> SentencePiece::id_of(std::string_view token) const {
  if (token.empty()) return std::nullopt;
  std::int32_t id = names_.find(token, hash_word(token));
  if (id < 0) {
    std::string marked;
    for (const char c : token) marked += c == ' ' ? std::string(kWordMark) : std::string(1, c);
    id = names_.find(marked, hash_word(marked));
  }
  return id < 0 ? std::nullopt : std::optional(id);
}

std::string_view SentencePiece::token_bytes(std::int32_t id) const {
  check_id(id);
  return written_[static_cast<std::size_t>(id)];
}

bool SentencePiece::is_special(std::int32_t id) const {
  if (!has_id(id)) return false;
  const TokenType type = spec_.pieces[static_cast<std::size_t>(id)].type;
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

std::string SentencePiece::decode_ids(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) text += token_bytes(id);
  // The space that encoding put before the text, unless a special token took its place.
  const bool from_text = !ids.empty() && !is_special(ids[0]);
  if (from_text && spec_.add_dummy_prefix && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

void SentencePiece::encode_to(std::string_view text, bool parse_special,
                              std::vector<std::int32_t>& ids) const {
  special_.each(
      text, parse_special, [&](std::string_view part) { encode_normalized(normalized(part), ids); },
      [&](std::int32_t id) { ids.push_back(id); });
}

/// What the beginning of a text is replaced by, and how much of it.
Charsmap::Match SentencePiece::normal_prefix(std::string_view text) const {
  if (!spec_.like_llama_cpp) {
    if (const std::size_t size = user_defined_.longest(text).size; size > 0)
      return {size, text.substr(0, size)};
  }
  if (const std::optional<Charsmap::Match> match = charsmap_.longest(text)) return *match;
  const std::size_t size = valid_char_size(text);
  if (size == 0) return {1, "\xEF\xBF\xBD"};
  return {size, text.substr(0, size)};
}

std::string SentencePiece::normalized(std::string_view text) const {
  const bool merge_spaces = spec_.remove_extra_whitespaces;
  const std::string_view space = spec_.escape_whitespaces ? kWordMark : std::string_view(" ");
  std::string out;
  out.reserve(text.size() + text.size() / 2 + 8);
  while (merge_spaces && !text.empty()) {
    const Charsmap::Match prefix = normal_prefix(text);
    if (prefix.replacement != " ") break;
    text.remove_prefix(prefix.size);
  }
  if (text.empty()) return out;
  if (spec_.add_dummy_prefix && !spec_.whitespace_as_suffix) out += space;
  for (bool after_space = merge_spaces; !text.empty();) {
    const Charsmap::Match prefix = normal_prefix(text);
    std::string_view put = prefix.replacement;
    text.remove_prefix(prefix.size);
    while (after_space && put.starts_with(' ')) put.remove_prefix(1);
    for (const char c : put) {
      if (c == ' ') {
        out += space;
      } else {
        out += c;
      }
    }
    if (!put.empty()) after_space = put.ends_with(' ');
    after_space = after_space && merge_spaces;
  }
  while (merge_spaces && out.ends_with(space)) out.resize(out.size() - space.size());
  if (spec_.add_dummy_prefix && spec_.whitespace_as_suffix) out += space;
  return out;
}

void SentencePiece::encode_normalized(std::string_view text, std::vector<std::int32_t>& ids) const {
  if (text.empty()) return;
  if (text.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    fail(ErrorCode::kInvalidArgument, "text: expected less than 2 GiB, got {}", text.size());
  const std::size_t begin = ids.size();
  if (spec_.unigram) {
    spec_.like_llama_cpp ? encode_unigram<double>(text, ids) : encode_unigram<float>(text, ids);
  } else if (cut_at_words_) {
    each_marked_word(text, [&](std::string_view word) { encode_bpe(word, ids); });
  } else {
    encode_bpe(text, ids);
  }
  if (byte_fallback_) return;
  // Unknown pieces side by side are one.
  const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
  ids.erase(std::unique(first, ids.end(),
                        [this](std::int32_t a, std::int32_t b) {
                          return a == spec_.unknown && b == spec_.unknown;
                        }),
            ids.end());
}

void SentencePiece::push_unknown(std::string_view text, std::vector<std::int32_t>& ids) const {
  if (!byte_fallback_) {
    if (spec_.unknown >= 0) ids.push_back(spec_.unknown);
    return;
  }
  for (const char c : text) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
}

namespace {

/// A stretch of the word that is one piece so far.
struct Symbol {
  std::size_t begin, end;  // empty: swallowed by the one before it
  std::int32_t previous, next;
  bool frozen;  // user-defined: never merged
};

struct Candidate {
  float score;
  std::int32_t left;
  std::size_t size;  // in bytes, to know what is out of date
  bool operator<(const Candidate& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

}  // namespace

void SentencePiece::encode_bpe(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::uint64_t hash = hash_word(word);
  if (recent_.find(word, hash, ids)) return;
  const std::size_t first_id = ids.size();
  std::vector<Symbol> symbols;
  for (std::size_t p = 0; p < word.size();) {
    const std::size_t frozen =
        spec_.like_llama_cpp ? 0 : user_defined_.longest(word.substr(p)).size;
    const std::size_t size = frozen > 0 ? frozen : decode_valid(word.data() + p).size;
    const auto at = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({p, p + size, at - 1, p + size == word.size() ? -1 : at + 1, frozen > 0});
    p += size;
  }
  std::priority_queue<Candidate> queue;
  UnusedParts parts;
  const auto offer = [&](std::int32_t left) {
    if (left < 0) return;
    const Symbol& a = symbols[static_cast<std::size_t>(left)];
    if (a.next < 0) return;
    const Symbol& b = symbols[static_cast<std::size_t>(a.next)];
    const std::size_t size = b.end - a.begin;
    if (a.frozen || b.frozen || size > longest_) return;
    const std::string_view both = word.substr(a.begin, size);
    const std::int32_t id = usable_id(both);
    if (id < 0) return;
    queue.push({spec_.pieces[static_cast<std::size_t>(id)].score, left, size});
    if (is_given_up(id)) parts[both] = a.end - a.begin;
  };
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) offer(static_cast<std::int32_t>(i));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& a = symbols[static_cast<std::size_t>(best.left)];
    if (a.begin == a.end || a.next < 0) continue;
    Symbol& b = symbols[static_cast<std::size_t>(a.next)];
    if (b.end - a.begin != best.size) continue;
    a.end = b.end;
    b.begin = b.end;
    a.next = b.next;
    if (b.next >= 0) symbols[static_cast<std::size_t>(b.next)].previous = best.left;
    offer(a.previous);
    offer(best.left);
  }
  for (std::int32_t i = symbols.empty() ? -1 : 0; i >= 0;) {
    const Symbol& symbol = symbols[static_cast<std::size_t>(i)];
    push_piece(word.substr(symbol.begin, symbol.end - symbol.begin), parts, ids);
    i = symbol.next;
  }
  recent_.keep(word, hash, ids, first_id);
}

/// The ids of a merged piece. One that is "unused" is taken apart again.
void SentencePiece::push_piece(std::string_view piece, const UnusedParts& parts,
                               std::vector<std::int32_t>& ids) const {
  const std::int32_t id = usable_id(piece);
  if (id < 0) return push_unknown(piece, ids);
  const auto found = is_given_up(id) ? parts.find(piece) : parts.end();
  if (found == parts.end()) {
    ids.push_back(id);
    return;
  }
  push_piece(piece.substr(0, found->second), parts, ids);
  push_piece(piece.substr(found->second), parts, ids);
}

template <typename Sum>
void SentencePiece::encode_unigram(std::string_view text, std::vector<std::int32_t>& ids) const {
  struct Best {
    std::int32_t id = -1, begin = -1;
    Sum score = 0;
  };
  std::vector<Best> best(text.size() + 1);
  const auto offer = [&](std::size_t begin, std::size_t end, std::int32_t id, double score) {
    Best& target = best[end];
    const Sum candidate = static_cast<Sum>(score) + best[begin].score;
    if (target.begin < 0 || candidate > target.score)
      target = {id, static_cast<std::int32_t>(begin), candidate};
  };
  for (std::size_t p = 0; p < text.size();) {
    const std::size_t one = decode_valid(text.data() + p).size;
    bool known = false;
    trie_.prefixes(text.substr(p), [&](std::size_t size, std::int32_t id) {
      const SentencePieceSpec::Piece& piece = spec_.pieces[static_cast<std::size_t>(id)];
      double score = piece.score;
      // A user-defined piece is to win always.
      if (piece.type == TokenType::kUserDefined)
        score = spec_.like_llama_cpp ? 0 : static_cast<float>(size) * user_score_ - 0.1;
      offer(p, p + size, id, score);
      known |= size == one;
    });
    if (!known) offer(p, p + one, -1, unknown_score_);
    p += one;
  }
  std::vector<Span> tokens;
  for (std::size_t end = text.size(); end > 0; end = tokens.back().begin)
    tokens.push_back({static_cast<std::size_t>(best[end].begin), end});
  for (std::size_t i = tokens.size(); i-- > 0;) {
    const std::int32_t id = best[tokens[i].end].id;
    if (id >= 0) {
      ids.push_back(id);
    } else {
      push_unknown(text.substr(tokens[i].begin, tokens[i].end - tokens[i].begin), ids);
    }
  }
}

}  // namespace lathe::tokenize
