// Memory behind tensors: aligned, pooled, counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace lathe {

/// cpu holds memory; meta holds none: shape rules run, bytes are counted, nothing is computed.
enum class Device : std::uint8_t { cpu, meta };

/// Bytes in use on a device, for the memory column and for `lathe plan`.
struct MemoryStats {
  std::int64_t in_use = 0;  // held by live tensors
  std::int64_t peak = 0;    // highest in_use since reset_peak()
  std::int64_t cached = 0;  // freed blocks kept for reuse
};

/// A block of memory. Freed blocks return to a pool, so a training step that repeats its shapes
/// allocates nothing new.
class Storage {
 public:
  /// 64-byte aligned, contents undefined. Throws OutOfMemory naming the size.
  static std::shared_ptr<Storage> allocate(std::size_t bytes, Device device);

  /// Address space, whose memory the system gives when it is first written, zeroed, and takes back
  /// with the storage; neither pooled nor counted in memory_stats(). Throws OutOfMemory.
  static std::shared_ptr<Storage> reserve(std::size_t bytes);

  enum class Pages { own, of_file };
  /// Borrowed memory (a mapped file): `keep_alive` is released with the storage. of_file: the
  /// memory is a read-only mapping of a file, see leave().
  static std::shared_ptr<Storage> borrow(std::span<std::byte> bytes,
                                         std::shared_ptr<const void> keep_alive,
                                         Pages pages = Pages::own);

  /// Takes the whole pages inside of [begin, begin + bytes) out of this process where they are a
  /// file's: they stay in the system's cache and come back when they are read. Else does nothing.
  void leave(std::size_t begin, std::size_t bytes) const;
  Pages pages() const { return pages_; }

  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }  // null on meta
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  Storage() = default;

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t capacity_ = 0;  // 0 when borrowed
  Device device_ = Device::cpu;
  Pages pages_ = Pages::own;
  std::shared_ptr<const void> keep_alive_;
};

MemoryStats memory_stats(Device device);
void reset_peak(Device device);

/// Gives cached blocks back to the system.
void release_cached_memory();

}  // namespace lathe
