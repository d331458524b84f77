// The byte alphabet of GPT-2: every byte as a printable character, so that tokens are text.
// Source: Radford et al. 2019, released encoder.py, bytes_to_unicode().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

/// The character that stands for a byte: itself where printable in Latin-1, else U+0100 and above.
CodePoint alphabet_char(std::uint8_t byte);

/// Bytes as text of the alphabet.
std::string to_alphabet(std::string_view bytes);

/// The bytes behind a text of the alphabet; nothing where a character is none of it.
std::optional<std::string> from_alphabet(std::string_view text);

}  // namespace lathe::tokenize
