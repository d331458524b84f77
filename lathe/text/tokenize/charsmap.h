// SentencePiece's "precompiled_charsmap": a table of strings to replace, as one block of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::tokenize {

/// Layout: u32 size of the trie in bytes, little-endian; the trie, a double array of u32 units as
/// darts-clone makes them; replacements that end in a zero byte, named by their offset. A unit
/// holds a label in bits 0-7 and 31, "has a value below" in bit 8, an offset in bits 10-30, scaled
/// by 256 where bit 9 is set; a leaf holds a value in bits 0-30.
class Charsmap {
 public:
  /// An empty map, which replaces nothing.
  Charsmap() = default;

  /// Throws kCorrupt, with `path`, for bytes that are no such table.
  Charsmap(std::string_view bytes, std::string_view path);

  struct Match {
    std::size_t size;  // bytes of the text that are replaced
    std::string_view replacement;
  };

  /// The replacement of the longest prefix of `text` that has one.
  std::optional<Match> longest(std::string_view text) const;

  /// As the Precompiled normalizer of Hugging Face tokenizers: a grapheme of up to five bytes is
  /// replaced as a whole by what its shortest prefix in the table becomes, then character by
  /// character. `new_head` is the size of what the first `head` bytes become.
  std::string by_graphemes(std::string_view text, std::size_t head, std::size_t& new_head) const;

 private:
  std::optional<Match> search(std::string_view text, bool shortest) const;
  std::optional<std::string_view> replacement_at(std::uint32_t offset) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

/// Base64 with padding.
std::string to_base64(std::string_view bytes);

/// The bytes behind base64 with or without padding; nothing where it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace lathe::tokenize
