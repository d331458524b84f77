// BPE over characters, as models have it that were converted from SentencePiece.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "lathe/text/tokenize/merging.h"
#include "lathe/text/tokenize/recent_words.h"
#include "lathe/text/tokenize/word_model.h"
#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

/// "model" of type BPE: fields as in the file.
struct CharBpeSpec {
  std::vector<std::pair<std::string, std::int32_t>> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::string unknown, continuing_subword_prefix, end_of_word_suffix;
  bool fuse_unknown = false, byte_fallback = false, ignore_merges = false;
};

class CharBpe final : public WordModel {
 public:
  /// Throws kCorrupt for a merge of or to a token that is not in the vocabulary.
  explicit CharBpe(const CharBpeSpec& spec);

  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

 private:
  std::int32_t id_of(std::string_view token) const { return words_.find(token, hash_word(token)); }
  std::vector<Merge> read_merges(const CharBpeSpec& spec) const;
  bool no_merge_crosses_words(const CharBpeSpec& spec) const;
  void encode_word(std::string_view word, std::vector<std::int32_t>& ids) const;
  void first_ids(std::string_view word, std::vector<std::int32_t>& ids) const;
  bool push_bytes(std::string_view character, std::vector<std::int32_t>& ids) const;

  WordTable words_;
  std::string prefix_, suffix_;
  std::int32_t unknown_ = -1;
  bool fuse_unknown_, byte_fallback_, ignore_merges_;
  bool cut_at_words_;
  std::array<std::int32_t, 256> byte_ids_;
  MergeTable merges_;
  RecentWords recent_;
};

}  // namespace lathe::tokenize
