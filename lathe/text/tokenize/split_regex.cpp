// Splitting by any regular expression, or by a plain string.
#include "lathe/text/tokenize/match_joiner.h"

namespace lathe::tokenize {
namespace {

class RegexSplitter final : public Splitter {
 public:
  RegexSplitter(std::string_view pattern, MatchUse use, bool invert)
      : regex_(pattern), use_(use), invert_(invert) {}

  void split(std::string_view text, SpanSink& sink) const override {
    MatchJoiner joiner(use_, sink);
    Regex::Matches matches(regex_, text);
    std::size_t done = 0;
    for (Span match{}; matches.next(match); done = match.end) {
      if (match.begin != done) joiner.put({done, match.begin}, invert_);
      joiner.put(match, !invert_);
    }
    if (done != text.size()) joiner.put({done, text.size()}, invert_);
    joiner.finish();
  }

 private:
  Regex regex_;
  MatchUse use_;
  bool invert_;
};

class StringSplitter final : public Splitter {
 public:
  StringSplitter(std::string_view wanted, MatchUse use, bool invert)
      : wanted_(wanted), use_(use), invert_(invert) {}

  void split(std::string_view text, SpanSink& sink) const override {
    MatchJoiner joiner(use_, sink);
    std::size_t done = 0;
    while (!wanted_.empty()) {
      const std::size_t at = text.find(wanted_, done);
      if (at == std::string_view::npos) break;
      if (at != done) joiner.put({done, at}, invert_);
      done = at + wanted_.size();
      joiner.put({at, done}, !invert_);
    }
    if (done != text.size()) joiner.put({done, text.size()}, invert_);
    joiner.finish();
  }

 private:
  std::string wanted_;
  MatchUse use_;
  bool invert_;
};

}  // namespace

std::unique_ptr<Splitter> make_regex_splitter(std::string_view pattern, MatchUse use, bool invert) {
  return std::make_unique<RegexSplitter>(pattern, use, invert);
}

std::unique_ptr<Splitter> make_string_splitter(std::string_view wanted, MatchUse use, bool invert) {
  return std::make_unique<StringSplitter>(wanted, use, invert);
}

}  // namespace lathe::tokenize
