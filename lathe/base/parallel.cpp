// Invariants:
// 1. At most one job is in the pool at a time; a caller that finds it busy, or that is itself
//    inside a job, runs its chunks alone. So nesting and several callers never deadlock.
// 2. Job fields are written before `generation_` is advanced and are not changed until every
//    worker of that generation has left (`running_` is zero).
// 3. Workers spin for a bounded time, then sleep on the generation counter (a futex).
#include "lathe/base/parallel.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "lathe/base/error.h"

namespace lathe {
namespace {

constexpr int kMaxThreads = 256;
constexpr int kSpins = 2000;  // about 50 us of pause instructions before the futex

/// Cores that the cgroup quota allows, or a large number where there is none.
int cgroup_quota() {
  std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "re");
  if (file == nullptr) return kMaxThreads;
  long quota = 0, period = 0;
  const int read = std::fscanf(file, "%ld %ld", &quota, &period);
  std::fclose(file);
  if (read != 2 || quota <= 0 || period <= 0) return kMaxThreads;
  return static_cast<int>(std::max(1L, (quota + period - 1) / period));
}

int default_threads() {
  if (const char* text = std::getenv("LATHE_THREADS")) {
    const int n = std::atoi(text);
    if (n >= 1 && n <= kMaxThreads) return n;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
  return std::clamp(std::min(cores, cgroup_quota()), 1, kMaxThreads);
}

thread_local bool inside_job = false;
thread_local int index_in_pool = 0;

class Pool {
 public:
  Pool() { start(default_threads()); }
  ~Pool() { stop(); }

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  void resize(int n) {
    const std::lock_guard<std::mutex> lock(busy_);
    stop();
    start(n);
  }

  void run(std::int64_t n, std::int64_t grain, detail::ChunkFn fn, void* context) noexcept {
    const std::int64_t chunks = (n + grain - 1) / grain;
    if (chunks <= 1 || workers_.empty() || inside_job || !busy_.try_lock()) {
      for (std::int64_t begin = 0; begin < n; begin += grain)
        fn(context, begin, std::min(n, begin + grain));
      return;
    }
    n_ = n, grain_ = grain, fn_ = fn, context_ = context;
    next_.store(0, std::memory_order_relaxed);
    running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    work();
    for (int spin = 0; running_.load(std::memory_order_acquire) != 0; ++spin) {
      if (spin < kSpins) {
        _mm_pause();
      } else {
        const int left = running_.load(std::memory_order_acquire);
        if (left != 0) running_.wait(left, std::memory_order_acquire);
      }
    }
    busy_.unlock();
  }

 private:
  void start(int n) {
    stopping_.store(false);
    const std::uint32_t seen = generation_.load();
    for (int i = 1; i < n; ++i) {
      workers_.emplace_back([this, i, seen] {
        index_in_pool = i;
        loop(seen);
      });
    }
  }

  void stop() {
    stopping_.store(true);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  void loop(std::uint32_t seen) {
    while (true) {
      for (int spin = 0; generation_.load(std::memory_order_acquire) == seen; ++spin) {
        if (spin < kSpins) {
          _mm_pause();
        } else {
          generation_.wait(seen, std::memory_order_acquire);
        }
      }
      if (stopping_.load()) return;
      ++seen;
      work();
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
    }
  }

  void work() noexcept {
    inside_job = true;
    const std::int64_t chunks = (n_ + grain_ - 1) / grain_;
    for (std::int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < chunks;)
      fn_(context_, i * grain_, std::min(n_, (i + 1) * grain_));
    inside_job = false;
  }

  std::vector<std::thread> workers_;
  std::mutex busy_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint32_t> generation_{0};
  std::atomic<int> running_{0};
  std::atomic<std::int64_t> next_{0};
  std::int64_t n_ = 0, grain_ = 1;
  detail::ChunkFn fn_ = nullptr;
  void* context_ = nullptr;
};

Pool& pool() {
  static Pool instance;
  return instance;
}

}  // namespace

int thread_index() { return index_in_pool; }

int thread_count() { return pool().size(); }

void set_thread_count(int n) {
  if (n < 1 || n > kMaxThreads)
    fail(ErrorCode::kInvalidArgument, "thread count: expected 1 to {}, got {}", kMaxThreads, n);
  if (n != pool().size()) pool().resize(n);
}

namespace detail {
void run_chunks(std::int64_t n, std::int64_t grain, ChunkFn fn, void* context) noexcept {
  if (n <= 0) return;
  pool().run(n, std::max<std::int64_t>(grain, 1), fn, context);
}
}  // namespace detail

}  // namespace lathe
