// A string that remembers, byte by byte, whether a template or a stranger wrote it.
//
// Only bytes that a template wrote may become special tokens, so the mark goes wherever the bytes
// go: through concatenation, slices, strip, replace, split, tojson.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::chat {

/// Who wrote a byte.
enum class Trust : bool { stranger = false, author = true };

/// UTF-8 with a Trust for every byte. Offsets are bytes unless a name says characters.
class Text {
 public:
  Text() = default;
  Text(std::string bytes, Trust trust) : bytes_(std::move(bytes)), first_(trust) {}

  const std::string& bytes() const { return bytes_; }
  std::string_view view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  /// REQUIRES: at < size().
  Trust trust_at(std::size_t at) const;

  void append(std::string_view bytes, Trust trust);
  void append(const Text& other) { append(other, 0, other.size()); }
  /// Bytes [begin, end) of another text.
  void append(const Text& other, std::size_t begin, std::size_t end);

  Text slice(std::size_t begin, std::size_t end) const;

  /// Everything from `size` on is dropped.
  void shorten(std::size_t size);

  struct Run {
    std::size_t begin, end;
    Trust trust;
  };
  /// The maximal stretches of one Trust, in order.
  std::vector<Run> runs() const;

 private:
  static Trust other(Trust trust) { return static_cast<Trust>(!static_cast<bool>(trust)); }
  Trust last() const { return flips_.size() % 2 == 0 ? first_ : other(first_); }

  std::string bytes_;
  Trust first_ = Trust::author;     // of the first byte
  std::vector<std::size_t> flips_;  // where the Trust changes, rising, inside the text
};

/// Characters of valid UTF-8, as Python counts them.
std::size_t count_characters(std::string_view text);

/// The byte where character `index` begins; text.size() where there are not so many.
std::size_t byte_of_character(std::string_view text, std::size_t index);

/// Bytes of the character that begins at `at`.
std::size_t character_size(std::string_view text, std::size_t at);

}  // namespace lathe::chat
