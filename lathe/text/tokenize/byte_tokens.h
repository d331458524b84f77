// "<0x0A>": the tokens by which models of characters write bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::tokenize {

inline std::string byte_token(std::uint8_t byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">";
}

/// The byte that a token of this form writes; the digits may be small letters.
inline std::optional<std::uint8_t> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<std::uint8_t>(value);
}

/// The ids of all 256, -1 where there is none. `id_of(text)` is an id or below 0.
template <typename IdOf>
std::array<std::int32_t, 256> byte_token_ids(const IdOf& id_of) {
  std::array<std::int32_t, 256> ids;
  for (int b = 0; b < 256; ++b)
    ids[static_cast<std::size_t>(b)] = id_of(byte_token(static_cast<std::uint8_t>(b)));
  return ids;
}

}  // namespace lathe::tokenize
