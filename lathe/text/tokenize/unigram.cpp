#include "lathe/text/tokenize/unigram.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_tokens.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

constexpr double kUnknownPenalty = 10;  // below the least probable token, as in SentencePiece

std::vector<std::pair<std::string, std::int32_t>> keys_of(const UnigramSpec& spec) {
  std::vector<std::pair<std::string, std::int32_t>> keys;
  keys.reserve(spec.vocab.size());
  for (const auto& [text, score] : spec.vocab)
    keys.emplace_back(text, static_cast<std::int32_t>(keys.size()));
  return keys;
}

/// The best way to write the bytes up to a place.
struct Best {
  std::int32_t id = 0;
  std::int32_t begin = -1;  // of its last token; -1: there is no way
  double score = 0;
};

}  // namespace

Unigram::Unigram(const UnigramSpec& spec)
    : trie_(keys_of(spec)), unknown_(spec.unknown), byte_fallback_(spec.byte_fallback) {
  if (unknown_ < -1 || unknown_ >= std::ssize(spec.vocab))
    fail(ErrorCode::kCorrupt, "model.unk_id: expected an id below {}, got {}", spec.vocab.size(),
         unknown_);
  words_.resize(spec.vocab.size());
  double least = spec.vocab.empty() ? 0 : spec.vocab[0].second;
  for (const auto& [text, score] : spec.vocab) {
    scores_.push_back(score);
    least = std::min(least, score);
  }
  // Of equal tokens the last one counts, and the table keeps the first that it is given.
  for (std::size_t i = spec.vocab.size(); i-- > 0;) {
    const std::string& text = spec.vocab[i].first;
    if (words_.find(text, hash_word(text)) < 0) words_.insert(text, static_cast<std::int32_t>(i));
  }
  unknown_score_ = least - kUnknownPenalty;
  byte_ids_ = byte_token_ids(
      [this](const std::string& token) { return words_.find(token, hash_word(token)); });
}

void Unigram::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  const std::uint64_t hash = hash_word(piece);
  if (recent_.find(piece, hash, ids)) return;
  const std::size_t begin = ids.size();
  encode_anew(piece, ids);
  recent_.keep(piece, hash, ids, begin);
}

void Unigram::encode_anew(std::string_view piece, std::vector<std::int32_t>& ids) const {
  if (piece.size() >= static_cast<std::size_t>(INT32_MAX))
    fail(ErrorCode::kInvalidArgument, "text: expected less than 2 GiB, got {}", piece.size());
  std::vector<Best> best(piece.size() + 1);
  const auto offer = [&](std::size_t begin, std::size_t end, std::int32_t id, double score) {
    Best& target = best[end];
    const double candidate = score + best[begin].score;
    if (target.begin < 0 || candidate > target.score)
      target = {id, static_cast<std::int32_t>(begin), candidate};
  };
  for (std::size_t p = 0; p < piece.size();) {
    const std::size_t one = decode_valid(piece.data() + p).size;
    bool known = false;
    trie_.prefixes(piece.substr(p), [&](std::size_t size, std::int32_t id) {
      offer(p, p + size, id, scores_[static_cast<std::size_t>(id)]);
      known |= size == one;
    });
    if (!known) {
      if (unknown_ < 0)
        fail(ErrorCode::kInvalidArgument,
             "text: '{}' has no token, and the tokenizer none for what is unknown",
             piece.substr(p, one));
      offer(p, p + one, unknown_, unknown_score_);
    }
    p += one;
  }
  // Backwards; neighbours that are unknown become one.
  std::vector<Span> tokens;
  bool joins = false;
  for (std::size_t end = piece.size(); end > 0;) {
    const auto begin = static_cast<std::size_t>(best[end].begin);
    const bool unknown = best[end].id == unknown_;
    if (unknown && joins) {
      tokens.back().begin = begin;
    } else {
      tokens.push_back({begin, end});
    }
    joins = unknown;
    end = begin;
  }
  for (std::size_t i = tokens.size(); i-- > 0;) {
    const std::string_view token = piece.substr(tokens[i].begin, tokens[i].end - tokens[i].begin);
    const std::int32_t id = words_.find(token, hash_word(token));
    if (id >= 0) {
      ids.push_back(id);
    } else {
      push_unknown(token, ids);
    }
  }
}

void Unigram::push_unknown(std::string_view text, std::vector<std::int32_t>& ids) const {
  const auto has_token = [this](char c) { return byte_ids_[static_cast<unsigned char>(c)] >= 0; };
  if (!byte_fallback_ || !std::all_of(text.begin(), text.end(), has_token)) {
    ids.push_back(unknown_);
    return;
  }
  for (const char c : text) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
}

}  // namespace lathe::tokenize
