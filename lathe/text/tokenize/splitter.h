// Pre-tokenisers: cut a text into the pieces inside which byte pairs may be merged.
//
// The patterns of GPT-2, GPT-4 (cl100k; Llama 3 and Qwen use it too) and GPT-4o (o200k; Mistral's
// tekken) are written by hand, one file each; every other regular expression goes through PCRE2
// (split_regex.cpp). well_known.cpp tells which is which.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/regex.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

/// Receives the pieces of a text, in order, in batches.
class SpanSink {
 public:
  virtual ~SpanSink() = default;

  void add(std::size_t begin, std::size_t end) {
    if (count_ == spans_.size()) flush();
    spans_[count_++] = {begin, end};
  }
  void flush() {
    const std::size_t count = count_;
    count_ = 0;
    if (count != 0) take({spans_.data(), count});
  }

 protected:
  virtual void take(std::span<const Span> spans) = 0;

 private:
  std::size_t count_ = 0;
  std::array<Span, 256> spans_;
};

/// Stateless; every function may be called from any thread.
class Splitter {
 public:
  virtual ~Splitter() = default;

  /// Adds the pieces of `text`, which is valid UTF-8, to `sink` and flushes it.
  /// Throws kInvalidArgument where a regular expression gives up.
  virtual void split(std::string_view text, SpanSink& sink) const = 0;
};

/// ('s|'t|...)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::unique_ptr<Splitter> make_gpt2_splitter();

/// The pattern of cl100k; `digits` is the longest piece of digits (3, or 1 as Qwen has it).
std::unique_ptr<Splitter> make_gpt4_splitter(int digits = 3);

/// The pattern of o200k; Mistral's tekken has digits one by one and knows no contractions.
struct O200kOptions {
  int digits = 3;  // the longest piece of digits
  bool contractions = true;
};
std::unique_ptr<Splitter> make_o200k_splitter(const O200kOptions& options = {});

/// The whole text as one piece.
std::unique_ptr<Splitter> make_whole_splitter();

/// What becomes of matches of a pattern and of the text between them.
enum class MatchUse {
  kIsolated,            // both are pieces
  kRemoved,             // the text between them is the pieces
  kMergedWithPrevious,  // a match belongs to the text before it
  kMergedWithNext,      // a match belongs to the text behind it
  kContiguous           // matches that touch are one piece
};

/// A hand-written splitter where the pattern is a well-known one, PCRE2 otherwise. `invert`: the
/// text between matches counts as the matches. Throws as Regex does.
std::unique_ptr<Splitter> make_pattern_splitter(std::string_view pattern,
                                                MatchUse use = MatchUse::kIsolated,
                                                bool invert = false);

/// PCRE2 always; what make_pattern_splitter's well-known splitters are compared with.
std::unique_ptr<Splitter> make_regex_splitter(std::string_view pattern,
                                              MatchUse use = MatchUse::kIsolated,
                                              bool invert = false);

/// As make_regex_splitter for a plain string.
std::unique_ptr<Splitter> make_string_splitter(std::string_view wanted, MatchUse use, bool invert);

/// Digits apart from the rest: each alone (individual), or each run of them.
std::unique_ptr<Splitter> make_digits_splitter(bool individual);

/// By each character of punctuation.
std::unique_ptr<Splitter> make_punctuation_splitter(MatchUse use);

/// By white space, which is no piece.
std::unique_ptr<Splitter> make_white_space_splitter();

/// By each occurrence of one character.
std::unique_ptr<Splitter> make_character_splitter(CodePoint wanted, MatchUse use);

/// \w+|[^\w\s]+ ("Whitespace").
std::unique_ptr<Splitter> make_words_splitter();

/// By white space, and each character of punctuation by itself ("BertPreTokenizer").
std::unique_ptr<Splitter> make_bert_splitter();

/// Where the script changes ("UnicodeScripts").
std::unique_ptr<Splitter> make_script_splitter();

/// So many characters a piece. Throws kCorrupt for less than one.
std::unique_ptr<Splitter> make_fixed_length_splitter(std::int64_t length);

/// Each splitter cuts the pieces of the one before it.
std::unique_ptr<Splitter> make_chain(std::vector<std::unique_ptr<Splitter>> parts);

/// The patterns behind the names "gpt2", "gpt4", "qwen2", "o200k" and "tekken"; nullptr for others.
const char* well_known_pattern(std::string_view name);

/// The well-known pattern that matches just what `pattern` matches; `pattern` where there is none.
std::string canonical_pattern(std::string_view pattern);

/// The pieces of `text` as a list, for tests and tools.
std::vector<std::string> pieces_of(const Splitter& splitter, std::string_view text);

}  // namespace lathe::tokenize
