// gzip, xz and zstd as streams. Each decoder sees its input in pieces of kInput bytes, so memory is
// that plus the decoder's window, which is capped.
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <limits>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/data/byte_stream.h"

namespace lathe::data {
namespace {

constexpr std::size_t kInput = 1 << 16;
constexpr std::uint64_t kXzMemory = std::uint64_t{1} << 30;  // bytes; xz -9 needs 65 MiB
constexpr int kZstdWindowLog = 30;  // bytes: 1 GiB; zstd --ultra -22 has 27

/// The compressed side: a buffer, and the messages of what can be wrong with it.
class Decoder : public ByteStream {
 protected:
  Decoder(std::unique_ptr<ByteStream> source, std::string name, std::string_view kind)
      : source_(std::move(source)), name_(std::move(name)), kind_(kind), buffer_(kInput) {}

  /// Takes more input when all was used; false at the end of the file.
  bool refill() {
    if (at_ < filled_) return true;
    if (ended_) return false;
    at_ = 0;
    filled_ = source_->read(buffer_);
    ended_ = filled_ == 0;
    taken_ += filled_;
    return !ended_;
  }

  [[noreturn]] void fail_truncated() const {
    fail(ErrorCode::kCorrupt,
         "{}: expected a whole {} stream, got one that ends too early, after {} bytes; the file is "
         "truncated, fetch or make it again",
         name_, kind_, taken_);
  }
  [[noreturn]] void fail_damaged(std::string_view reason) const {
    fail(ErrorCode::kCorrupt, "{}: expected a {} stream, got damaged data before byte {} ({})",
         name_, kind_, taken_ - (filled_ - at_), reason);
  }
  [[noreturn]] void fail_start(const char* what) const {
    fail(ErrorCode::kOutOfMemory, "{}: the {} decoder could not start ({})", name_, kind_, what);
  }

  std::unique_ptr<ByteStream> source_;
  std::string name_;
  std::string_view kind_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  std::uint64_t taken_ = 0;
  bool ended_ = false;
};

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder(std::unique_ptr<ByteStream> source, std::string name)
      : Decoder(std::move(source), std::move(name), "gzip") {
    // 15: the largest window; +16: a gzip header, not a bare zlib one.
    if (inflateInit2(&z_, 15 + 16) != Z_OK) fail_start("inflateInit2");
  }
  ~GzipDecoder() override { inflateEnd(&z_); }

  std::size_t read(std::span<char> room) override {
    std::size_t made = 0;
    while (made == 0) {
      const bool more = refill();
      if (!inside_ && !start_member(more)) return 0;
      if (inside_ && !more) fail_truncated();
      if (inside_) made = inflate_some(room);
    }
    return made;
  }

 private:
  /// Between members: zero bytes are padding (tape blocks), anything else must be a new member.
  bool start_member(bool more) {
    if (!more) {
      if (members_ == 0) fail_truncated();
      return false;
    }
    while (members_ > 0 && at_ < filled_ && buffer_[at_] == '\0') ++at_;
    if (at_ == filled_) return true;  // look again after the next refill
    if (members_ > 0 && inflateReset(&z_) != Z_OK) fail_damaged("inflateReset");
    inside_ = true;
    return true;
  }

  std::size_t inflate_some(std::span<char> room) {
    const auto space = static_cast<uInt>(std::min<std::size_t>(room.size(), 1u << 30));
    z_.next_in = reinterpret_cast<Bytef*>(buffer_.data() + at_);
    z_.avail_in = static_cast<uInt>(filled_ - at_);
    z_.next_out = reinterpret_cast<Bytef*>(room.data());
    z_.avail_out = space;
    const int result = inflate(&z_, Z_NO_FLUSH);
    at_ = filled_ - z_.avail_in;
    if (result == Z_STREAM_END) {
      inside_ = false;
      ++members_;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      fail_damaged(z_.msg != nullptr ? z_.msg : "inflate");
    }
    return space - z_.avail_out;
  }

  z_stream z_{};
  bool inside_ = false;
  std::int64_t members_ = 0;
};

class XzDecoder final : public Decoder {
 public:
  XzDecoder(std::unique_ptr<ByteStream> source, std::string name)
      : Decoder(std::move(source), std::move(name), "xz") {
    if (lzma_stream_decoder(&z_, kXzMemory, LZMA_CONCATENATED) != LZMA_OK) fail_start("liblzma");
  }
  ~XzDecoder() override { lzma_end(&z_); }

  std::size_t read(std::span<char> room) override {
    z_.next_out = reinterpret_cast<std::uint8_t*>(room.data());
    z_.avail_out = room.size();
    while (!done_ && z_.avail_out == room.size()) {
      const bool more = refill();
      z_.next_in = reinterpret_cast<const std::uint8_t*>(buffer_.data() + at_);
      z_.avail_in = more ? filled_ - at_ : 0;
      const lzma_ret result = lzma_code(&z_, more ? LZMA_RUN : LZMA_FINISH);
      if (more) at_ = filled_ - z_.avail_in;
      check(result, more);
    }
    return room.size() - z_.avail_out;
  }

 private:
  void check(lzma_ret result, bool more) {
    if (result == LZMA_STREAM_END) done_ = true;
    if (result == LZMA_OK || result == LZMA_STREAM_END) return;
    if (result == LZMA_BUF_ERROR && !more) fail_truncated();
    if (result == LZMA_BUF_ERROR) return;
    if (result == LZMA_MEMLIMIT_ERROR) {
      fail(ErrorCode::kUnsupported, "{}: expected xz data that {} of memory decode, got {}", name_,
           human_bytes(kXzMemory), human_bytes(static_cast<double>(lzma_memusage(&z_))));
    }
    if (result == LZMA_MEM_ERROR) fail(ErrorCode::kOutOfMemory, "{}: xz decoder", name_);
    fail_damaged(result == LZMA_FORMAT_ERROR ? "no xz header" : "checksum or structure");
  }

  lzma_stream z_ = LZMA_STREAM_INIT;
  bool done_ = false;
};

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder(std::unique_ptr<ByteStream> source, std::string name)
      : Decoder(std::move(source), std::move(name), "zstd"), z_(ZSTD_createDCtx()) {
    if (z_ == nullptr) fail_start("ZSTD_createDCtx");
    ZSTD_DCtx_setParameter(z_, ZSTD_d_windowLogMax, kZstdWindowLog);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(z_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  std::size_t read(std::span<char> room) override {
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    while (out.pos == 0) {
      // A full output may have left bytes inside the decoder, so it runs once without input too.
      const bool more = refill();
      if (!more && !pending_) {
        if (!frame_done_) fail_truncated();
        return 0;
      }
      ZSTD_inBuffer in{buffer_.data() + at_, more ? filled_ - at_ : 0, 0};
      const std::size_t result = ZSTD_decompressStream(z_, &out, &in);
      at_ += in.pos;
      if (ZSTD_isError(result)) fail_damaged(ZSTD_getErrorName(result));
      frame_done_ = result == 0;
      pending_ = out.pos == out.size && !frame_done_;
    }
    return out.pos;
  }

 private:
  ZSTD_DCtx* z_;
  bool frame_done_ = false;
  bool pending_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> decompress(std::unique_ptr<ByteStream> source, Compression kind,
                                       std::string name) {
  switch (kind) {
    case Compression::kGzip:
      return std::make_unique<GzipDecoder>(std::move(source), std::move(name));
    case Compression::kXz:
      return std::make_unique<XzDecoder>(std::move(source), std::move(name));
    case Compression::kZstd:
      return std::make_unique<ZstdDecoder>(std::move(source), std::move(name));
    case Compression::kNone:
      break;
  }
  return source;
}

}  // namespace lathe::data
