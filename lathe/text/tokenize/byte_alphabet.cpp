#include "lathe/text/tokenize/byte_alphabet.h"

namespace lathe::tokenize {
namespace {

constexpr CodePoint kAlphabetEnd = 0x100 + 68;

struct Alphabet {
  std::array<CodePoint, 256> chars{};
  std::array<std::int16_t, kAlphabetEnd> bytes{};

  constexpr Alphabet() {
    bytes.fill(-1);
    CodePoint next = 0x100;
    for (CodePoint b = 0; b < 256; ++b) {
      const bool printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
      chars[b] = printable ? b : next++;
      bytes[chars[b]] = static_cast<std::int16_t>(b);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

CodePoint alphabet_char(std::uint8_t byte) { return kAlphabet.chars[byte]; }

std::string to_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) append_utf8(alphabet_char(static_cast<std::uint8_t>(c)), text);
  return text;
}

std::optional<std::string> from_alphabet(std::string_view text) {
  std::string bytes;
  for (std::size_t p = 0; p < text.size();) {
    if (valid_char_size(text.substr(p)) == 0) return std::nullopt;
    const Decoded c = decode_valid(text.data() + p);
    if (c.code >= kAlphabetEnd || kAlphabet.bytes[c.code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kAlphabet.bytes[c.code]));
    p += c.size;
  }
  return bytes;
}

}  // namespace lathe::tokenize
