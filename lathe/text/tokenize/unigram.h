// The unigram language model: of all ways to write a piece as tokens, the most probable one.
// Source: Kudo 2018 (arXiv 1804.10959); found by Viterbi's algorithm.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "lathe/text/tokenize/recent_words.h"
#include "lathe/text/tokenize/regex.h"
#include "lathe/text/tokenize/trie.h"
#include "lathe/text/tokenize/word_model.h"
#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

/// "model" of type Unigram: fields as in the file.
struct UnigramSpec {
  std::vector<std::pair<std::string, double>> vocab;  // by id; logarithms of probabilities
  std::int32_t unknown = -1;                          // "unk_id"
  bool byte_fallback = false;
};

/// Rounds as Hugging Face tokenizers does: sums of scores are doubles.
class Unigram final : public WordModel {
 public:
  /// Throws kCorrupt for an unknown id outside the vocabulary.
  explicit Unigram(const UnigramSpec& spec);

  /// Time grows with the bytes of the piece times those of the longest token.
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

 private:
  void encode_anew(std::string_view piece, std::vector<std::int32_t>& ids) const;
  void push_unknown(std::string_view text, std::vector<std::int32_t>& ids) const;

  std::vector<double> scores_;
  WordTable words_;
  Trie trie_;
  std::int32_t unknown_;
  double unknown_score_ = 0;
  bool byte_fallback_;
  std::array<std::int32_t, 256> byte_ids_;
  RecentWords recent_;
};

}  // namespace lathe::tokenize
