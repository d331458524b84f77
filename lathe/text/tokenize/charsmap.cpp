#include "lathe/text/tokenize/charsmap.h"

#include "lathe/base/error.h"
#include "lathe/text/tokenize/grapheme.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kLongestGrapheme = 5;  // bytes; longer ones are taken apart

std::uint32_t load_u32(const char* at) {
  const auto* b = reinterpret_cast<const unsigned char*>(at);
  return std::uint32_t{b[0]} | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
         std::uint32_t{b[3]} << 24;
}

std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

bool has_value(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }

}  // namespace

Charsmap::Charsmap(std::string_view bytes, std::string_view path) {
  if (bytes.empty()) return;
  if (bytes.size() < 4)
    fail(ErrorCode::kCorrupt, "{}: expected at least 4 bytes, got {}", path, bytes.size());
  const std::size_t trie = load_u32(bytes.data());
  bytes.remove_prefix(4);
  if (trie > bytes.size() || trie % 4 != 0)
    fail(ErrorCode::kCorrupt, "{}: expected a trie of up to {} bytes, got {}", path, bytes.size(),
         trie);
  for (std::size_t at = 0; at < trie; at += 4) units_.push_back(load_u32(bytes.data() + at));
  replacements_ = bytes.substr(trie);
  // Replacements become text: none may break a character. Offsets point at their beginnings.
  if (valid_prefix(replacements_) != replacements_.size())
    fail(ErrorCode::kCorrupt, "{}: expected replacements in UTF-8", path);
}

std::optional<std::string_view> Charsmap::replacement_at(std::uint32_t offset) const {
  if (offset >= replacements_.size()) return std::nullopt;
  if ((replacements_[offset] & 0xC0) == 0x80) return std::nullopt;  // inside a character
  return std::string_view(replacements_).substr(offset, replacements_.find('\0', offset) - offset);
}

std::optional<Charsmap::Match> Charsmap::search(std::string_view text, bool shortest) const {
  std::optional<Match> found;
  if (units_.empty()) return found;
  std::size_t node = offset_of(units_[0]);
  for (std::size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (node >= units_.size()) break;
    const std::uint32_t unit = units_[node];
    if ((unit & (1u << 31 | 0xFF)) != byte) break;
    node ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (node >= units_.size()) break;
    const auto replacement = replacement_at(units_[node] & ~(1u << 31));
    if (!replacement) break;
    found = Match{i + 1, *replacement};
    if (shortest) break;
  }
  // A table may hold keys that end inside a character; what is left of the text must stay UTF-8.
  if (found && found->size < text.size() && (text[found->size] & 0xC0) == 0x80 && !shortest)
    return std::nullopt;
  return found;
}

std::optional<Charsmap::Match> Charsmap::longest(std::string_view text) const {
  return search(text, false);
}

std::string Charsmap::by_graphemes(std::string_view text, std::size_t head,
                                   std::size_t& new_head) const {
  std::string out;
  out.reserve(text.size());
  new_head = 0;
  const auto put = [&](std::size_t begin, std::size_t end) {
    const std::string_view part = text.substr(begin, end - begin);
    const std::optional<Match> match = search(part, true);
    if (match) out += match->replacement;
    return match.has_value();
  };
  GraphemeScan graphemes(text);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = graphemes.next();
    const bool whole = end - begin <= kLongestGrapheme && put(begin, end);
    for (std::size_t p = begin; p < end && !whole;) {
      const std::size_t size = decode_valid(text.data() + p).size;
      if (!put(p, p + size)) out += text.substr(p, size);
      p += size;
      if (p <= head) new_head = out.size();
    }
    if (end <= head || (whole && begin < head)) new_head = out.size();
    begin = end;
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t held = 0;
    for (std::size_t k = 0; k < 3; ++k)
      held = held << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? kDigits[held >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    held = held << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>(held >> bits & 0xFF));
  }
  return bytes;
}

}  // namespace lathe::tokenize
