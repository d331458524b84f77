// The pre-tokeniser of GPT-4 (tiktoken's cl100k_base):
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+
#include "lathe/text/tokenize/scan.h"

namespace lathe::tokenize {
namespace {

std::size_t digits(const Scan& s, std::size_t p, int most) {
  for (int i = 0; i < most && !s.at_end(p); ++i) {
    const Scan::Char c = s.at(p);
    if (!c.is(kNumber)) break;
    p += c.size;
  }
  return p;
}

/// At p stands neither a letter nor a number.
std::size_t after_sign(const Scan& s, std::size_t p, Scan::Char sign) {
  const std::size_t q = p + sign.size;
  if (!s.at_end(q)) {
    const Scan::Char c = s.at(q);
    if (c.is(kLetter) && !sign.is(kNewline)) return s.run(q + c.size, kLetter);
    if (s.byte(p) == ' ' && c.is_other())
      return s.run(s.run_of_none(q, kSpace | kLetter | kNumber), kNewline);
  }
  if (sign.is(kSpace)) return s.spaces_or_lines(p);
  return s.run(s.run_of_none(q, kSpace | kLetter | kNumber), kNewline);
}

class Gpt4Splitter final : public Splitter {
 public:
  explicit Gpt4Splitter(int digits) : digits_(digits) {}

  void split(std::string_view text, SpanSink& sink) const override {
    Scan::pieces(text, sink, [most = digits_](const Scan& s, std::size_t p) -> std::size_t {
      const Scan::Char c = s.at(p);
      if (c.is(kLetter)) return s.run(p + c.size, kLetter);
      if (c.is(kNumber)) return digits(s, p, most);
      if (s.byte(p) == '\'') {
        if (const std::size_t n = s.any_case_contraction(p)) return p + n;
      }
      return after_sign(s, p, c);
    });
  }

 private:
  int digits_;
};

}  // namespace

std::unique_ptr<Splitter> make_gpt4_splitter(int digits) {
  return std::make_unique<Gpt4Splitter>(digits);
}

}  // namespace lathe::tokenize
