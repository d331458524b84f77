// The index file: entries, then a table of files, then the report, then this footer.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "lathe/data/digest.h"

namespace lathe::data {

inline constexpr std::string_view kIndexMagic = "LATHEIDX";
inline constexpr std::uint64_t kIndexVersion = 1;

struct IndexFooter {
  std::uint64_t version = kIndexVersion;
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t table_bytes = 0;
  std::uint64_t report_bytes = 0;
  std::uint64_t fingerprint = 0;
  std::uint64_t digest = 0;  // of table, report and the numbers above
  char magic[8] = {'L', 'A', 'T', 'H', 'E', 'I', 'D', 'X'};

  std::uint64_t digest_of(std::string_view table, std::string_view report) const {
    return Digest(version).add(entries).add(files).add(table).add(report).add(fingerprint).value();
  }
};
static_assert(sizeof(IndexFooter) == 64);

/// One file in the table, followed by path_bytes of path: absolute, or relative to the cache folder
/// when it lies there.
struct IndexFileHead {
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  // ns
  std::uint32_t format = 0;
  std::uint32_t in_cache = 0;
  std::uint64_t path_bytes = 0;
};
static_assert(sizeof(IndexFileHead) == 32);

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Takes a T off the front of `bytes`; false where they are too few.
template <typename T>
bool take(std::string_view& bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

}  // namespace lathe::data
