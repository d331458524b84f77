// Unicode normalisation forms, as tokenizer.json files ask for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::tokenize {

/// Canonical or compatibility (K), decomposed (D) or composed (C).
enum class Form : std::uint8_t { kNfc, kNfd, kNfkc, kNfkd };

/// Whether nfc(text) is certainly `text`: below U+0300 every text is its own form C.
bool is_surely_nfc(std::string_view text);

/// A normalisation form of valid UTF-8, with the Unicode version of Hugging Face tokenizers (an old
/// one: characters it does not know stay as they are).
/// Source: Unicode Standard Annex 15; Hangul by arithmetic as in the Standard, section 3.12.
std::string normalized(std::string_view text, Form form);

inline std::string nfc(std::string_view text) { return normalized(text, Form::kNfc); }

}  // namespace lathe::tokenize
