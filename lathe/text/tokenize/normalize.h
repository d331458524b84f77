// Unicode normalisation form C, as some tokenizer.json files ask for.
#pragma once

#include <string>
#include <string_view>

namespace lathe::tokenize {

/// Whether nfc(text) is certainly `text`: below U+0300 every text is its own form C.
bool is_surely_nfc(std::string_view text);

/// Normalisation form C of valid UTF-8, with the Unicode version of Hugging Face tokenizers (an old
/// one: characters it does not know stay as they are).
/// Source: Unicode Standard Annex 15; Hangul by arithmetic as in the Standard, section 3.12.
std::string nfc(std::string_view text);

}  // namespace lathe::tokenize
