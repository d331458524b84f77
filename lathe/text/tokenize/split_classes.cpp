// Splitters that go by the class of each character: punctuation, white space, scripts.
#include "lathe/base/error.h"
#include "lathe/text/tokenize/char_sets.h"
#include "lathe/text/tokenize/match_joiner.h"

namespace lathe::tokenize {
namespace {

/// Each character of which `is_match(code)` holds is a match of its own.
template <typename IsMatch>
class EachCharacter final : public Splitter {
 public:
  EachCharacter(MatchUse use, IsMatch is_match) : use_(use), is_match_(is_match) {}

  void split(std::string_view text, SpanSink& sink) const override {
    MatchJoiner joiner(use_, sink);
    std::size_t done = 0;
    for (std::size_t p = 0; p < text.size();) {
      const Decoded c = decode_valid(text.data() + p);
      const std::size_t end = p + c.size;
      if (is_match_(c.code)) {
        if (done != p) joiner.put({done, p}, false);
        joiner.put({p, end}, true);
        done = end;
      }
      p = end;
    }
    if (done != text.size()) joiner.put({done, text.size()}, false);
    joiner.finish();
  }

 private:
  MatchUse use_;
  IsMatch is_match_;
};

template <typename IsMatch>
std::unique_ptr<Splitter> each_character(MatchUse use, IsMatch is_match) {
  return std::make_unique<EachCharacter<IsMatch>>(use, is_match);
}

bool is_digit(CodePoint c) {
  if (char_class(c) & kNumber) return true;
  for (const CodeRange range : tables::kExtraDigitRanges)
    if (c >= range.first && c <= range.last) return true;
  return false;
}

/// Runs of characters of one kind; `kind_of(code)` below zero: the character is no piece.
template <typename KindOf>
class Runs final : public Splitter {
 public:
  explicit Runs(KindOf kind_of) : kind_of_(kind_of) {}

  void split(std::string_view text, SpanSink& sink) const override {
    std::size_t begin = 0;
    int kind = -1;
    for (std::size_t p = 0; p < text.size();) {
      const Decoded c = decode_valid(text.data() + p);
      const int now = kind_of_(c.code);
      if (now != kind) {
        if (kind >= 0) sink.add(begin, p);
        begin = p;
        kind = now;
      }
      p += c.size;
    }
    if (kind >= 0) sink.add(begin, text.size());
    sink.flush();
  }

 private:
  KindOf kind_of_;
};

/// As tokenizers has it: characters that join any script are no piece at the beginning.
class ScriptSplitter final : public Splitter {
 public:
  void split(std::string_view text, SpanSink& sink) const override {
    std::size_t begin = text.size();
    std::uint32_t last = 0;
    for (std::size_t p = 0; p < text.size();) {
      const Decoded c = decode_valid(text.data() + p);
      const std::uint32_t script = script_of(c.code);
      if (script != 0 && script != last) {
        if (last != 0) sink.add(begin, p);
        begin = p;
        last = script;
      }
      p += c.size;
    }
    if (begin < text.size()) sink.add(begin, text.size());
    sink.flush();
  }
};

class FixedLengthSplitter final : public Splitter {
 public:
  explicit FixedLengthSplitter(std::size_t length) : length_(length) {}

  void split(std::string_view text, SpanSink& sink) const override {
    std::size_t begin = 0, characters = 0;
    for (std::size_t p = 0; p < text.size();) {
      p += decode_valid(text.data() + p).size;
      if (++characters < length_) continue;
      sink.add(begin, p);
      begin = p;
      characters = 0;
    }
    if (begin < text.size()) sink.add(begin, text.size());
    sink.flush();
  }

 private:
  std::size_t length_;
};

}  // namespace

std::unique_ptr<Splitter> make_digits_splitter(bool individual) {
  return each_character(individual ? MatchUse::kIsolated : MatchUse::kContiguous, is_digit);
}

std::unique_ptr<Splitter> make_punctuation_splitter(MatchUse use) {
  return each_character(use, [](CodePoint c) { return kPunctuation.has(c); });
}

std::unique_ptr<Splitter> make_white_space_splitter() {
  return each_character(MatchUse::kRemoved, [](CodePoint c) { return kWhite.has(c); });
}

std::unique_ptr<Splitter> make_character_splitter(CodePoint wanted, MatchUse use) {
  return each_character(use, [wanted](CodePoint c) { return c == wanted; });
}

std::unique_ptr<Splitter> make_words_splitter() {
  const auto kind_of = [](CodePoint c) {
    if (kWordChars.has(c)) return 1;
    return kWhite.has(c) ? -1 : 0;
  };
  return std::make_unique<Runs<decltype(kind_of)>>(kind_of);
}

std::unique_ptr<Splitter> make_bert_splitter() {
  std::vector<std::unique_ptr<Splitter>> parts;
  parts.push_back(make_white_space_splitter());
  parts.push_back(make_punctuation_splitter(MatchUse::kIsolated));
  return make_chain(std::move(parts));
}

std::unique_ptr<Splitter> make_script_splitter() { return std::make_unique<ScriptSplitter>(); }

std::unique_ptr<Splitter> make_fixed_length_splitter(std::int64_t length) {
  if (length < 1)
    fail(ErrorCode::kCorrupt, "FixedLength.length: expected 1 or more, got {}", length);
  return std::make_unique<FixedLengthSplitter>(static_cast<std::size_t>(length));
}

}  // namespace lathe::tokenize
