// WordPiece: the longest token that the rest of a word starts with, again and again; and WordLevel,
// which knows whole words only.
// Source: Wu et al. 2016 (arXiv 1609.08144); the greedy form is BERT's (Devlin et al. 2018).
#pragma once

#include <string>
#include <utility>

#include "lathe/text/tokenize/trie.h"
#include "lathe/text/tokenize/word_model.h"
#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

/// "model" of type WordPiece: fields as in the file.
struct WordPieceSpec {
  std::vector<std::pair<std::string, std::int32_t>> vocab;
  std::string unknown = "[UNK]";
  std::string continuing_subword_prefix = "##";
  std::int64_t max_input_chars_per_word = 100;
};

class WordPiece final : public WordModel {
 public:
  /// Throws kCorrupt where the unknown token is not in the vocabulary.
  explicit WordPiece(const WordPieceSpec& spec);

  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

 private:
  Trie starts_, continuations_;
  std::int32_t unknown_;
  std::size_t most_characters_;
};

class WordLevel final : public WordModel {
 public:
  /// An `unknown` that is not in the vocabulary: words that are not there are an error.
  WordLevel(const std::vector<std::pair<std::string, std::int32_t>>& vocab,
            const std::string& unknown);

  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override;

 private:
  WordTable words_;
  std::int32_t unknown_;
};

}  // namespace lathe::tokenize
