#include "lathe/data/token_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/log.h"
#include "lathe/data/digest.h"

namespace lathe::data {
namespace {

constexpr std::uint64_t kForgetAfter = 32 << 20;  // bytes mapped in
constexpr std::uint64_t kAround = 2 * 65536;      // a fault maps in so much, in table and ids

bool write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

std::uint64_t size_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

int open_file(const std::string& path, bool write) {
  return ::open(path.c_str(), write ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0666);
}

}  // namespace

class TokenCache::Map {
 public:
  static std::unique_ptr<Map> of(int fd, std::uint64_t bytes) {
    if (bytes == 0) return nullptr;
    void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return nullptr;
    return std::unique_ptr<Map>(new Map(data, bytes));
  }
  ~Map() { ::munmap(data_, bytes_); }
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  const char* at(std::uint64_t offset) const { return static_cast<const char*>(data_) + offset; }
  std::uint64_t bytes() const { return bytes_; }
  void forget() { ::madvise(data_, bytes_, MADV_DONTNEED); }

 private:
  Map(void* data, std::uint64_t bytes) : data_(data), bytes_(bytes) {}
  void* data_;
  std::uint64_t bytes_;
};

std::unique_ptr<TokenCache> TokenCache::open(const std::string& folder, std::uint64_t records,
                                             std::int64_t vocab_size) {
  std::unique_ptr<TokenCache> cache(new TokenCache);
  cache->folder_ = folder;
  cache->records_ = records;
  cache->width_ = vocab_size <= 65536 ? 2 : 4;
  try {
    real_files().make_directories(folder);
  } catch (const Error& e) {
    log::warning("data: tokens are not cached: {}", e.message());
    return nullptr;
  }
  const std::string table = join_path(folder, "table"), ids = join_path(folder, "ids");
  cache->table_fd_ = open_file(table, true);
  cache->writable_ = cache->table_fd_ >= 0 && ::flock(cache->table_fd_, LOCK_EX | LOCK_NB) == 0 &&
                     ::ftruncate(cache->table_fd_, static_cast<off_t>(records * sizeof(Slot))) == 0;
  if (cache->table_fd_ < 0) cache->table_fd_ = open_file(table, false);
  cache->ids_fd_ = open_file(ids, cache->writable_);
  if (cache->table_fd_ < 0 || cache->ids_fd_ < 0) {
    log::warning("data: tokens are not cached: cannot open '{}' ({})", folder,
                 std::strerror(errno));
    return nullptr;
  }
  // Whole ids only: a write cut short by a crash leaves bytes that no slot names.
  cache->end_ = (size_of(cache->ids_fd_) + cache->width_ - 1) / cache->width_;
  if (size_of(cache->table_fd_) >= records * sizeof(Slot))
    cache->table_ = Map::of(cache->table_fd_, records * sizeof(Slot));
  if (cache->table_ == nullptr) return nullptr;
  return cache;
}

TokenCache::~TokenCache() {
  if (table_fd_ >= 0) ::close(table_fd_);  // ends the lock
  if (ids_fd_ >= 0) ::close(ids_fd_);
}

std::uint32_t TokenCache::digest_of(std::uint64_t i, const Slot& slot, const void* ids) const {
  Digest digest(i);
  digest.add(slot.start)
      .add(slot.count)
      .add(std::string_view(static_cast<const char*>(ids), slot.count * width_));
  return static_cast<std::uint32_t>(digest.value()) | 1;
}

/// Makes the map cover the first `bytes` of the ids; false where the file is shorter.
bool TokenCache::map_ids(std::uint64_t bytes) {
  if (ids_ != nullptr && ids_->bytes() >= bytes) return true;
  const std::uint64_t size = size_of(ids_fd_);
  if (size < bytes) return false;
  ids_ = Map::of(ids_fd_, size);
  return ids_ != nullptr;
}

bool TokenCache::get(std::uint64_t i, std::vector<std::int32_t>& ids) {
  LATHE_CHECK(i < records_);
  Slot slot;
  std::memcpy(&slot, table_->at(i * sizeof slot), sizeof slot);
  if (slot.digest == 0 || slot.start > (std::uint64_t{1} << 60)) return false;
  if (slot.count > 0 && !map_ids((slot.start + slot.count) * width_)) return false;
  const char* data = slot.count > 0 ? ids_->at(slot.start * width_) : "";
  if (digest_of(i, slot, data) != slot.digest) return false;

  if (slot.count == 0) return true;
  const std::size_t before = ids.size();
  ids.resize(before + slot.count);
  if (width_ == 4) {
    std::memcpy(ids.data() + before, data, slot.count * width_);
  } else {
    for (std::size_t k = 0; k < slot.count; ++k) {
      std::uint16_t id;
      std::memcpy(&id, data + 2 * k, 2);
      ids[before + k] = id;
    }
  }
  touched_ += slot.count * width_ + kAround;
  if (touched_ > kForgetAfter) {  // else all that was ever read would count as our memory
    touched_ = 0;
    table_->forget();
    if (ids_ != nullptr) ids_->forget();
  }
  return true;
}

void TokenCache::put(std::uint64_t i, std::span<const std::int32_t> ids) {
  LATHE_CHECK(i < records_);
  if (!writable_ || ids.size() > UINT32_MAX) return;
  std::string_view bytes(reinterpret_cast<const char*>(ids.data()), ids.size_bytes());
  if (width_ == 2) {
    narrow_.assign(ids.begin(), ids.end());
    bytes = {reinterpret_cast<const char*>(narrow_.data()), narrow_.size() * 2};
  }
  Slot slot{.start = end_, .count = static_cast<std::uint32_t>(ids.size()), .digest = 0};
  slot.digest = digest_of(i, slot, bytes.data());
  if (!write_at(ids_fd_, bytes, end_ * width_)) return stop_writing("ids");
  end_ += ids.size();
  const std::string_view slot_bytes(reinterpret_cast<const char*>(&slot), sizeof slot);
  if (!write_at(table_fd_, slot_bytes, i * sizeof slot)) stop_writing("table");
}

void TokenCache::stop_writing(const char* what) {
  log::warning("data: from here on tokens are not cached: cannot write '{}/{}' ({})", folder_, what,
               std::strerror(errno));
  writable_ = false;
}

}  // namespace lathe::data
