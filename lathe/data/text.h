// Bytes of text: UTF-8, line ends, where to cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::data {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view bytes);

/// The offset of the first byte that is not part of valid UTF-8; bytes.size() where all is.
std::size_t first_bad_utf8(std::string_view bytes);

/// "expected UTF-8, got byte 0xff at byte 5 of the line", with a hint for UTF-16 and Latin-1.
std::string explain_bad_utf8(std::string_view line);

/// Turns CR LF (and CR CR LF, as careless conversions leave it) into LF in place and returns how
/// many there were. A CR elsewhere stays.
std::int64_t convert_crlf(std::string& text);

/// Where to cut text longer than `limit` bytes: after the last line end in the second half of
/// [0, limit], else before the last space there, else between two characters. In [1, limit].
std::size_t cut_point(std::string_view text, std::size_t limit);

}  // namespace lathe::data
