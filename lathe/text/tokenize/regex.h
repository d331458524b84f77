// Regular expressions by PCRE2 with JIT and with limits: a pattern that backtracks without end is
// an error, never a hang. (std::regex is not used: it recurses once a character.)
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace lathe::tokenize {

/// Bytes [begin, end) of a text.
struct Span {
  std::size_t begin, end;
};

/// One compiled expression in the dialect of regex_dialect.h. Immutable.
class Regex {
 public:
  /// Throws kInvalidArgument for a pattern that is not a regular expression, kUnsupported for parts
  /// that Oniguruma and PCRE2 do not read alike.
  explicit Regex(std::string_view pattern);
  ~Regex();

  /// The matches in a text, from left to right, as Oniguruma's find_iter gives them: empty ones
  /// too, but none right behind another match.
  class Matches {
   public:
    /// `text` is valid UTF-8. Both live as long as this. Not to be shared between threads.
    Matches(const Regex& regex, std::string_view text);

    /// False where there is none left. Throws kInvalidArgument where the expression gives up or has
    /// taken more time than the text is worth.
    bool next(Span& match);

   private:
    bool find(Span& match);
    void look_at_clock() const;

    const Regex& regex_;
    std::string_view text_;
    double start_;
    std::size_t from_ = 0, count_ = 0;
    std::size_t last_end_ = std::string_view::npos;
  };

 private:
  struct Code;
  std::string pattern_;
  std::unique_ptr<Code> code_;
};

}  // namespace lathe::tokenize
