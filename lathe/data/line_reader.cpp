#include "lathe/data/line_reader.h"

#include <algorithm>
#include <cstring>

#include "lathe/data/text.h"

namespace lathe::data {
namespace {
constexpr std::size_t kStart = 1 << 18;  // bytes of the buffer until a line needs more
}

LineReader::LineReader(ByteStream& stream) : stream_(stream), buffer_(kStart) {
  while (filled_ < kByteOrderMark.size() && fill()) {
  }
  if (std::string_view(buffer_.data(), filled_).starts_with(kByteOrderMark)) {
    at_ = kByteOrderMark.size();
    offset_ = offset_of_start_ = at_;
  }
}

bool LineReader::fill() {
  if (ended_) return false;
  if (at_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + at_, filled_ - at_);
    filled_ -= at_;
    at_ = 0;
  }
  if (filled_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  const std::size_t n = stream_.read({buffer_.data() + filled_, buffer_.size() - filled_});
  filled_ += n;
  ended_ = n == 0;
  return !ended_;
}

bool LineReader::next(Piece& piece, std::size_t limit) {
  std::size_t searched = 0;
  std::size_t length = 0;
  bool ends_line = false;
  for (;;) {
    const std::size_t have = std::min(filled_ - at_, limit);
    const char* start = buffer_.data() + at_;
    if (const void* found = std::memchr(start + searched, '\n', have - searched)) {
      length = static_cast<std::size_t>(static_cast<const char*>(found) - start) + 1;
      ends_line = true;
      break;
    }
    searched = length = have;
    if (have == limit || !fill()) break;
  }
  if (length == 0) return false;
  piece = {std::string_view(buffer_.data() + at_, length), offset_, line_, ends_line};
  at_ += length;
  offset_ += length;
  line_ += ends_line ? 1 : 0;
  return true;
}

}  // namespace lathe::data
