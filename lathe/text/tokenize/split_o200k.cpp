// The pre-tokeniser of GPT-4o (tiktoken's o200k_base). With U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}],
// L = [\p{Ll}\p{Lm}\p{Lo}\p{M}], S = (?i:'s|'t|'re|'ve|'m|'ll|'d)?, P = [^\r\n\p{L}\p{N}]?:
// PU*L+S|PU+L*S|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
#include "lathe/text/tokenize/scan.h"

namespace lathe::tokenize {
namespace {

constexpr std::uint8_t kUpperSet = kUpper | kCaseless;  // U
constexpr std::uint8_t kLowerSet = kLower | kCaseless;  // L

/// U*L+ at p: its end, 0 where it does not match. U and L share the caseless characters: where no
/// small letter follows the U's, L+ takes the last caseless one of them.
std::size_t capital_then_small(const Scan& s, std::size_t p) {
  std::size_t after_caseless = 0;
  while (!s.at_end(p)) {
    const Scan::Char c = s.at(p);
    if (c.is(kLower)) return s.run(p + c.size, kLowerSet);
    if (!c.is(kUpperSet)) break;
    p += c.size;
    if (c.is(kCaseless)) after_caseless = p;
  }
  return after_caseless;
}

/// U+L* at p where capital_then_small() does not match: capitals only.
std::size_t capitals(const Scan& s, std::size_t p) {
  const std::size_t end = s.run(p, kUpperSet);
  return end == p ? 0 : end;
}

/// The first two alternatives at p: their end, 0 where they do not match.
std::size_t word(const Scan& s, std::size_t p, Scan::Char c, bool contractions) {
  const bool may_be_prefix = !c.is(kNewline | kLetter | kNumber);
  const std::size_t q = may_be_prefix ? p + c.size : p;
  std::size_t end = capital_then_small(s, q);
  if (end == 0 && may_be_prefix) end = capital_then_small(s, p);
  if (end == 0) end = capitals(s, q);
  if (end == 0) return 0;
  return contractions ? end + s.any_case_contraction(end) : end;
}

std::size_t next(const Scan& s, std::size_t p, const O200kOptions& options) {
  const Scan::Char c = s.at(p);
  if (c.is(kNumber)) {
    std::size_t end = p + c.size;
    for (int i = 1; i < options.digits && !s.at_end(end) && s.at(end).is(kNumber); ++i)
      end += s.at(end).size;
    return end;
  }
  if (const std::size_t end = word(s, p, c, options.contractions)) return end;
  const std::size_t q = s.byte(p) == ' ' && !s.at_end(p + 1) ? p + 1 : p;
  if (s.at(q).is_other()) {
    std::size_t end = s.run_of_none(q, kSpace | kLetter | kNumber);
    while (!s.at_end(end) && (s.at(end).is(kNewline) || s.byte(end) == '/')) ++end;
    return end;
  }
  return s.spaces_or_lines(p);
}

class O200kSplitter final : public Splitter {
 public:
  explicit O200kSplitter(const O200kOptions& options) : options_(options) {}

  void split(std::string_view text, SpanSink& sink) const override {
    Scan::pieces(text, sink, [options = options_](const Scan& s, std::size_t p) {
      return next(s, p, options);
    });
  }

 private:
  O200kOptions options_;
};

}  // namespace

std::unique_ptr<Splitter> make_o200k_splitter(const O200kOptions& options) {
  return std::make_unique<O200kSplitter>(options);
}

}  // namespace lathe::tokenize
