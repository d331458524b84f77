// SentencePiece as its own library does it: `.model` files, and the vocabularies "llama" and "t5"
// of GGUF, which come from them. Source: Kudo and Richardson 2018 (arXiv 1808.06226);
// github.com/google/sentencepiece.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lathe/text/tokenize/added_tokens.h"
#include "lathe/text/tokenize/charsmap.h"
#include "lathe/text/tokenize/recent_words.h"
#include "lathe/text/tokenize/tokenizer.h"
#include "lathe/text/tokenize/trie.h"
#include "lathe/text/tokenize/vocabulary.h"
#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

struct SentencePieceSpec {
  struct Piece {
    std::string text;
    float score = 0;
    TokenType type = TokenType::kNormal;
  };
  bool unigram = false;  // otherwise BPE
  std::vector<Piece> pieces;
  std::string charsmap;  // precompiled
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  bool whitespace_as_suffix = false, byte_fallback = false;
  std::int32_t unknown = 0, bos = -1, eos = -1, padding = -1;  // -1: none
  bool add_bos = false, add_eos = false;
  /// As llama.cpp has it: user-defined tokens are cut out of the text before anything else, what
  /// follows a token starts with a space again, unused pieces are used, sums are doubles.
  bool like_llama_cpp = false;
};

/// Reads a ModelProto. Throws kCorrupt; kUnsupported for the model types "word" and "char".
SentencePieceSpec read_sentencepiece(std::string_view bytes);

/// The tokenizer of a `.model` file; BOS stands before a text where the file has one.
std::unique_ptr<Tokenizer> parse_sentencepiece(std::string_view bytes);

class SentencePiece final : public Tokenizer {
 public:
  /// Throws kCorrupt for ids outside and for pieces that stand twice.
  explicit SentencePiece(SentencePieceSpec spec);

  void encode_to(std::string_view text, bool parse_special,
                 std::vector<std::int32_t>& ids) const override;
  std::int64_t vocab_size() const override { return std::ssize(spec_.pieces); }
  bool has_id(std::int32_t id) const override { return id >= 0 && id < vocab_size(); }
  std::optional<std::int32_t> id_of(std::string_view token) const override;
  std::string_view token_bytes(std::int32_t id) const override;
  bool is_special(std::int32_t id) const override;
  bool is_lossless() const override { return false; }
  bool decodes_by_token() const override { return false; }
  std::span<const std::int32_t> sequence_prefix() const override { return prefix_; }
  std::span<const std::int32_t> sequence_suffix() const override { return suffix_; }
  /// A tokenizer.json that Hugging Face tokenizers reads, converted as transformers does it.
  std::string to_json() const override;

  const SentencePieceSpec& spec() const { return spec_; }

 protected:
  std::string decode_ids(std::span<const std::int32_t> ids) const override;

 private:
  bool is_usable(TokenType type) const;
  void read_pieces();
  bool no_piece_crosses_words() const;
  std::string normalized(std::string_view text) const;
  Charsmap::Match normal_prefix(std::string_view text) const;
  void encode_normalized(std::string_view text, std::vector<std::int32_t>& ids) const;
  void encode_bpe(std::string_view word, std::vector<std::int32_t>& ids) const;
  /// For pieces of type "unused": how many of their bytes the left one of the two parts has.
  using UnusedParts = std::unordered_map<std::string_view, std::size_t>;
  void push_piece(std::string_view piece, const UnusedParts& parts,
                  std::vector<std::int32_t>& ids) const;
  bool is_given_up(std::int32_t id) const {
    return !spec_.like_llama_cpp &&
           spec_.pieces[static_cast<std::size_t>(id)].type == TokenType::kUnused;
  }
  template <typename Sum>
  void encode_unigram(std::string_view text, std::vector<std::int32_t>& ids) const;
  void push_unknown(std::string_view text, std::vector<std::int32_t>& ids) const;
  std::int32_t usable_id(std::string_view piece) const {
    return words_.find(piece, hash_word(piece));
  }

  SentencePieceSpec spec_;
  std::vector<std::string> written_;  // by id: what decode() writes
  std::vector<std::int32_t> prefix_, suffix_;
  WordTable words_, names_;  // pieces that text may become; all
  Trie user_defined_, trie_;
  Charsmap charsmap_;
  AddedTokenFinder special_;
  std::size_t longest_ = 0;
  double unknown_score_ = 0;
  float user_score_ = 0;
  bool cut_at_words_ = false, byte_fallback_ = false;
  std::array<std::int32_t, 256> byte_ids_;
  RecentWords recent_;
};

}  // namespace lathe::tokenize
