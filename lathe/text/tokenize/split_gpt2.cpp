// The pre-tokeniser of GPT-2 (Radford et al. 2019, released encoder.py):
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#include "lathe/text/tokenize/scan.h"

namespace lathe::tokenize {
namespace {

/// 's|'t|'re|'ve|'m|'ll|'d at p: its bytes, or 0.
std::size_t contraction(const Scan& s, std::size_t p) {
  if (p + 1 >= s.size()) return 0;
  switch (s.byte(p + 1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return p + 2 < s.size() && s.byte(p + 2) == 'e' ? 3 : 0;
    case 'l':
      return p + 2 < s.size() && s.byte(p + 2) == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

std::size_t next(const Scan& s, std::size_t p) {
  if (s.byte(p) == '\'') {
    if (const std::size_t n = contraction(s, p)) return p + n;
  }
  const std::size_t q = s.byte(p) == ' ' && !s.at_end(p + 1) ? p + 1 : p;
  const Scan::Char c = s.at(q);
  if (c.is(kLetter)) return s.run(q + c.size, kLetter);
  if (c.is(kSpace)) return s.spaces(p);
  if (c.is(kNumber)) return s.run(q + c.size, kNumber);
  return s.run_of_none(q + c.size, kSpace | kLetter | kNumber);
}

class Gpt2Splitter final : public Splitter {
 public:
  void split(std::string_view text, SpanSink& sink) const override {
    Scan::pieces(text, sink, [](const Scan& s, std::size_t p) { return next(s, p); });
  }
};

}  // namespace

std::unique_ptr<Splitter> make_gpt2_splitter() { return std::make_unique<Gpt2Splitter>(); }

}  // namespace lathe::tokenize
