#include "lathe/engine/tensor/storage.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "lathe/base/error.h"

namespace lathe {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t bytes, std::size_t step) {
  return (bytes + step - 1) / step * step;
}

/// Block sizes: eight steps per power of two, so that nearly equal sizes share blocks; large
/// blocks, whose sizes repeat from step to step, to 64 kB, so that little is wasted.
std::size_t size_class(std::size_t bytes) {
  constexpr std::size_t kLarge = std::size_t{1} << 20, kLargeStep = std::size_t{64} << 10;
  if (bytes <= 512) return round_up(bytes, kAlignment);
  if (bytes >= kLarge) return round_up(bytes, kLargeStep);
  return round_up(bytes, std::bit_floor(bytes - 1) / 8);
}

/// Large blocks on huge pages: fewer faults and TLB misses; a refusal changes nothing. Only whole
/// huge pages are asked for: a tail on one would cost up to 2 MB that nobody uses.
void* system_allocate(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
  if (bytes >= kHugePage) {
    const std::size_t whole = bytes / kHugePage * kHugePage;
    madvise(memory, whole, MADV_HUGEPAGE);
    if (whole < bytes) madvise(static_cast<char*>(memory) + whole, bytes - whole, MADV_NOHUGEPAGE);
  }
  return memory;
}

class Pool {
 public:
  std::byte* take(std::size_t capacity) {
    const std::lock_guard<std::mutex> lock(mutex_);
    count(Device::cpu, static_cast<std::int64_t>(capacity));
    auto& blocks = free_[capacity];
    if (!blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      stats_[0].cached -= static_cast<std::int64_t>(capacity);
      return static_cast<std::byte*>(block);
    }
    void* block = system_allocate(capacity);
    if (block == nullptr) {
      release();
      block = system_allocate(capacity);
    }
    if (block == nullptr) {
      count(Device::cpu, -static_cast<std::int64_t>(capacity));
      fail(ErrorCode::kOutOfMemory, "memory: {} bytes could not be allocated with {} in use",
           capacity, stats_[0].in_use);
    }
    return static_cast<std::byte*>(block);
  }

  void give(std::byte* block, std::size_t capacity) {
    const std::lock_guard<std::mutex> lock(mutex_);
    count(Device::cpu, -static_cast<std::int64_t>(capacity));
    free_[capacity].push_back(block);
    stats_[0].cached += static_cast<std::int64_t>(capacity);
  }

  void count_meta(std::int64_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    count(Device::meta, bytes);
  }

  MemoryStats stats(Device device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stats_[static_cast<int>(device)];
  }

  void reset_peak(Device device) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& stats = stats_[static_cast<int>(device)];
    stats.peak = stats.in_use;
  }

  void release_all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    release();
  }

 private:
  void count(Device device, std::int64_t bytes) {
    auto& stats = stats_[static_cast<int>(device)];
    stats.in_use += bytes;
    if (stats.in_use > stats.peak) stats.peak = stats.in_use;
  }

  void release() {
    for (auto& [capacity, blocks] : free_) {
      for (void* block : blocks) std::free(block);
      blocks.clear();
    }
    stats_[0].cached = 0;
  }

  std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;
  MemoryStats stats_[2];
};

/// Never destroyed: tensors in static storage may outlive every other static.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes, Device device) {
  std::shared_ptr<Storage> storage(new Storage);
  storage->bytes_ = bytes;
  storage->device_ = device;
  const std::size_t capacity = size_class(std::max(bytes, std::size_t{1}));
  if (device == Device::meta) {
    pool().count_meta(static_cast<std::int64_t>(capacity));
  } else {
    storage->data_ = pool().take(capacity);
  }
  storage->capacity_ = capacity;
  return storage;
}

std::shared_ptr<Storage> Storage::reserve(std::size_t bytes) {
  const std::size_t length = round_up(std::max(bytes, std::size_t{1}), kHugePage) + kHugePage;
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    fail(ErrorCode::kOutOfMemory, "memory: no address space for {} bytes", bytes);
  const std::shared_ptr<void> mapped(memory, [length](void* p) { ::munmap(p, length); });
  auto* aligned =
      reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(memory), kHugePage));
  if (bytes >= kHugePage) ::madvise(aligned, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return borrow({aligned, bytes}, mapped);
}

std::shared_ptr<Storage> Storage::borrow(std::span<std::byte> bytes,
                                         std::shared_ptr<const void> keep_alive, Pages pages) {
  std::shared_ptr<Storage> storage(new Storage);
  storage->data_ = bytes.data();
  storage->bytes_ = bytes.size();
  storage->pages_ = pages;
  storage->keep_alive_ = std::move(keep_alive);
  return storage;
}

void Storage::leave(std::size_t begin, std::size_t bytes) const {
  if (pages_ != Pages::of_file) return;
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<std::uintptr_t>(data_) + begin;
  const std::uintptr_t first = round_up(at, page), last = (at + bytes) / page * page;
  // A refusal changes nothing.
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

Storage::~Storage() {
  if (capacity_ == 0) return;
  if (device_ == Device::meta) {
    pool().count_meta(-static_cast<std::int64_t>(capacity_));
  } else {
    pool().give(data_, capacity_);
  }
}

MemoryStats memory_stats(Device device) { return pool().stats(device); }
void reset_peak(Device device) { pool().reset_peak(device); }
void release_cached_memory() { pool().release_all(); }

}  // namespace lathe
