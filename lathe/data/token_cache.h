// Ids of the documents tokenised so far, on disk: a by-product that spares the work in later epochs
// and runs. Losing it costs time, nothing else.
//
//   <folder>/table   one slot of 16 bytes a record, zero until the record is there (a sparse file)
//   <folder>/ids     the ids one record after another, in the order they were first needed
// Invariants:
//  1. A slot holds a digest of its ids, its number and its place, checked at every read: whatever a
//     crash or power cut leaves behind is either whole or not seen, without any fsync.
//  2. One process appends (a lock); others with the same data read along.
//  3. Reads are through maps, writes through pwrite: a full disk is an error code, not a signal.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lathe::data {

/// Not to be shared between threads.
class TokenCache {
 public:
  /// `records` slots; ids below `vocab_size` (two bytes each where that is at most 65536).
  /// Returns null and logs why where the folder cannot be used.
  static std::unique_ptr<TokenCache> open(const std::string& folder, std::uint64_t records,
                                          std::int64_t vocab_size);
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  /// Appends the ids of record i to `ids`; false where they are not there.
  bool get(std::uint64_t i, std::vector<std::int32_t>& ids);

  /// Stores the ids of record i. After a failed write (disk full) the cache stays as it is for the
  /// rest of its life; that is logged once.
  void put(std::uint64_t i, std::span<const std::int32_t> ids);

 private:
  struct Slot {
    std::uint64_t start;  // in ids, not bytes
    std::uint32_t count;
    std::uint32_t digest;  // never 0
  };
  static_assert(sizeof(Slot) == 16);

  class Map;

  TokenCache() = default;
  std::uint32_t digest_of(std::uint64_t i, const Slot& slot, const void* ids) const;
  bool map_ids(std::uint64_t bytes);
  void stop_writing(const char* what);

  std::string folder_;
  std::uint64_t records_ = 0;
  std::size_t width_ = 2;  // bytes an id
  int table_fd_ = -1, ids_fd_ = -1;
  std::unique_ptr<Map> table_, ids_;
  std::uint64_t end_ = 0;  // of the ids file, in ids
  std::uint64_t touched_ = 0;
  bool writable_ = false;
  std::vector<std::uint16_t> narrow_;
};

}  // namespace lathe::data
