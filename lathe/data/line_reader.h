// A byte stream cut at line ends.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lathe/data/byte_stream.h"

namespace lathe::data {

/// Pieces of lines, each with its place in the file.
class LineReader {
 public:
  struct Piece {
    std::string_view bytes;    // with the LF where ends_line; valid until the next call
    std::uint64_t offset = 0;  // in the file, after any byte order mark
    std::int64_t line = 1;     // from 1
    bool ends_line = false;    // false: more of this line follows, or the file ends without LF
  };

  /// A byte order mark at the start of the stream is passed over.
  explicit LineReader(ByteStream& stream);

  bool had_byte_order_mark() const { return offset_of_start_ != 0; }

  /// The next line, or as much of it as `limit` bytes hold. False at the end of the file.
  bool next(Piece& piece, std::size_t limit);

  /// Bytes of the file so far.
  std::uint64_t offset() const { return offset_; }

 private:
  bool fill();

  ByteStream& stream_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t offset_of_start_ = 0;
  std::int64_t line_ = 1;
  bool ended_ = false;
};

}  // namespace lathe::data
