#include "lathe/text/tokenize/char_bpe.h"

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_tokens.h"
#include "lathe/text/tokenize/unicode.h"
#include "lathe/text/tokenize/word_starts.h"

namespace lathe::tokenize {
namespace {

WordTable table_of(const CharBpeSpec& spec) {
  WordTable table;
  table.resize(spec.vocab.size());
  for (const auto& [text, id] : spec.vocab) table.insert(text, id);
  return table;
}

}  // namespace

CharBpe::CharBpe(const CharBpeSpec& spec)
    : words_(table_of(spec)),
      prefix_(spec.continuing_subword_prefix),
      suffix_(spec.end_of_word_suffix),
      fuse_unknown_(spec.fuse_unknown),
      byte_fallback_(spec.byte_fallback),
      ignore_merges_(spec.ignore_merges),
      cut_at_words_(no_merge_crosses_words(spec)),
      byte_ids_(byte_token_ids([this](const std::string& token) { return id_of(token); })),
      merges_(read_merges(spec)) {
  if (spec.unknown.empty()) return;
  unknown_ = id_of(spec.unknown);
  if (unknown_ < 0)
    fail(ErrorCode::kCorrupt, "model.unk_token: '{}' is not in model.vocab", spec.unknown);
}

std::vector<Merge> CharBpe::read_merges(const CharBpeSpec& spec) const {
  std::vector<Merge> merges;
  merges.reserve(spec.merges.size());
  const auto known = [&](const std::string& token) {
    const std::int32_t id = id_of(token);
    if (id < 0)
      fail(ErrorCode::kCorrupt, "model.merges[{}]: '{}' is not in model.vocab", merges.size(),
           token);
    return id;
  };
  for (const auto& [left, right] : spec.merges) {
    if (right.size() < prefix_.size())
      fail(ErrorCode::kCorrupt, "model.merges[{}]: expected '{}' to start with '{}'", merges.size(),
           right, prefix_);
    merges.push_back({known(left), known(right), known(left + right.substr(prefix_.size()))});
  }
  return merges;
}

/// Whether every word can be merged by itself: no merge joins the end of a word with the mark that
/// starts the next one, and that mark is never unknown.
bool CharBpe::no_merge_crosses_words(const CharBpeSpec& spec) const {
  if (!prefix_.empty() || !suffix_.empty() || id_of(kWordMark) < 0) return false;
  for (const auto& [left, right] : spec.merges)
    if (right.starts_with(kWordMark) && !left.ends_with(kWordMark)) return false;
  return true;
}

void CharBpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  if (ignore_merges_) {
    if (const std::int32_t id = id_of(piece); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  if (!cut_at_words_) return encode_word(piece, ids);
  each_marked_word(piece, [&](std::string_view word) { encode_word(word, ids); });
}

void CharBpe::encode_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::uint64_t hash = hash_word(word);
  if (recent_.find(word, hash, ids)) return;
  const std::size_t begin = ids.size();
  first_ids(word, ids);
  merges_.merge(ids, begin);
  recent_.keep(word, hash, ids, begin);
}

bool CharBpe::push_bytes(std::string_view character, std::vector<std::int32_t>& ids) const {
  for (const char c : character)
    if (byte_ids_[static_cast<unsigned char>(c)] < 0) return false;
  for (const char c : character) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  return true;
}

void CharBpe::first_ids(std::string_view word, std::vector<std::int32_t>& ids) const {
  bool unknown_waits = false;  // it stands before the next character that is known
  std::string decorated;
  for (std::size_t p = 0; p < word.size();) {
    const std::size_t size = decode_valid(word.data() + p).size;
    std::string_view symbol = word.substr(p, size);
    const bool takes_prefix = p > 0 && !prefix_.empty();
    const bool takes_suffix = p + size == word.size() && !suffix_.empty();
    if (takes_prefix || takes_suffix) {
      decorated = takes_prefix ? prefix_ : "";
      decorated += symbol;
      if (takes_suffix) decorated += suffix_;
      symbol = decorated;
    }
    p += size;
    if (const std::int32_t id = id_of(symbol); id >= 0) {
      if (unknown_waits) ids.push_back(unknown_);
      unknown_waits = false;
      ids.push_back(id);
      continue;
    }
    if (byte_fallback_ && push_bytes(symbol, ids)) continue;
    if (unknown_ < 0) continue;
    if (unknown_waits && !fuse_unknown_) ids.push_back(unknown_);
    unknown_waits = true;
  }
  if (unknown_waits) ids.push_back(unknown_);
}

}  // namespace lathe::tokenize
