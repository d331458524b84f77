// Files for the tests of this folder: a temporary folder, compressors, a toy encoder.
#pragma once

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/temporary_folder.h"
#include "lathe/data/encoding.h"

namespace lathe::data {

/// A folder that lives as long as the test.
class TestFolder : public TemporaryFolder {
 public:
  /// Writes a file (with its folders) and returns its path.
  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string path = *this / name;
    real_files().make_directories(parent_path(path));
    auto file = real_files().open_for_write(path);
    file->write(bytes);
    file->close();
    return path;
  }
};

inline std::string gzip(std::string_view text) {
  z_stream z{};
  LATHE_CHECK(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  LATHE_CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}

inline std::string xz(std::string_view text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  LATHE_CHECK(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr,
                                      reinterpret_cast<const std::uint8_t*>(text.data()),
                                      text.size(), reinterpret_cast<std::uint8_t*>(out.data()),
                                      &size, out.size()) == LZMA_OK);
  out.resize(size);
  return out;
}

inline std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  LATHE_CHECK(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

/// Each byte is an id of its own; 256 is eos, 257 bos.
inline Encoding byte_encoding(bool eos = true, bool bos = false) {
  Encoding encoding;
  encoding.encode = [](std::string_view text, std::vector<std::int32_t>& ids) {
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  };
  encoding.vocab_size = 258;
  encoding.key = "bytes";
  if (eos) encoding.eos = 256;
  if (bos) encoding.bos = 257;
  encoding.bytes_of_id.assign(258, 1);
  encoding.bytes_of_id[256] = encoding.bytes_of_id[257] = 0;
  return encoding;
}

/// The message of the Error that `run` throws; "" where it throws none.
template <typename Run>
std::string error_of(const Run& run) {
  try {
    run();
  } catch (const Error& e) {
    return e.message();
  }
  return "";
}

}  // namespace lathe::data
