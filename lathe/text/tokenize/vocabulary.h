// A vocabulary without its file: what GGUF's tokenizer.ggml.* keys hold, as plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::tokenize {

/// What a token is for ("tokenizer.ggml.token_type", and SentencePiece's ModelProto).
enum class TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // found in text only where special tokens are asked for
  kUserDefined = 4,  // found in every text, before any merging
  kUnused = 5,
  kByte = 6,  // "<0x0A>"
};

/// One vocabulary; vectors are indexed by id. A list that the model kind does not use may be empty,
/// any other has as many entries as `tokens`. Fields are named as their keys, which are given where
/// they differ.
struct VocabularyParts {
  std::string model;  // "gpt2" byte-level BPE, "llama" SentencePiece BPE, "t5" Unigram, "bert"
  std::string pre;    // of gpt2: which pre-tokeniser; empty: "default"
  std::vector<std::string> tokens;
  std::vector<float> scores;             // llama, t5
  std::vector<std::int32_t> token_type;  // TokenType; empty: all normal
  std::vector<std::string> merges;       // gpt2: "left right", by rank
  std::string precompiled_charsmap;      // t5: SentencePiece's normaliser, bytes

  // ..._token_id
  std::optional<std::int32_t> bos, eos, eot, eom;
  std::optional<std::int32_t> unknown, padding, separator, cls, mask;

  std::optional<bool> add_bos_token, add_eos_token, add_sep_token;
  std::optional<bool> add_space_prefix, remove_extra_whitespaces;
  std::optional<bool> lowercase, strip_accents;  // normalizer...., of bert
};

/// The tokenizer of a vocabulary. Throws kCorrupt for what contradicts itself (lists of different
/// lengths, ids outside, tokens twice where that is not harmless), kUnsupported for a model or
/// `pre` that is not implemented.
std::unique_ptr<Tokenizer> from_vocabulary(VocabularyParts parts);

/// The vocabulary of a tokenizer, to write it into a GGUF file; from_vocabulary() of it gives the
/// same ids. Throws kUnsupported, with the reason, for a tokenizer that these fields cannot hold.
VocabularyParts vocabulary_of(const Tokenizer& tokenizer);

}  // namespace lathe::tokenize
