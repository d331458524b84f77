// Invariants:
// 1. At most one job is in the pool at a time; a caller that finds it busy, or that is itself
//    inside a job, runs its chunks alone. So nesting and several callers never deadlock.
// 2. Job fields are written while the job is closed and has no members; a worker reads them only
//    as a member. The caller closes the job when no chunk is left, then waits for its members.
// 3. So nobody waits for a worker that the system has not woken yet: where another process holds
//    its core, the caller does the work alone instead of standing still for milliseconds.
// 4. Where workers are put off inside chunks again and again, jobs run in the caller (StallGuard).
// 5. Where a job wants fewer threads than there are (ThreadLimit), the workers beyond sleep until
//    one wants more.
// 6. Workers and callers spin for a bounded time, then sleep on a futex.
#include "lathe/base/parallel.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/read_soon.h"
#include "lathe/base/stall_guard.h"

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

/// Moves the calling thread, the i-th worker, to a core of its own and lets it go again. Linux
/// starts a thread on the core of its creator and may leave both there for 40 ms while another is
/// idle.
void spread_out(int i, int creator_core) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  std::vector<int> others;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed) && core != creator_core) others.push_back(core);
  if (others.empty()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(others[static_cast<std::size_t>(i - 1) % others.size()], &one);
  if (sched_setaffinity(0, sizeof one, &one) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}

/// What threads fetch while they wait (read_soon).
class Ahead {
 public:
  void set(std::span<const ReadSoon> memory) noexcept {
    const std::size_t count = std::min<std::size_t>(memory.size(), kMostReadSoon);
    for (std::size_t i = 0; i < count; ++i) {
      begin_[i].store(static_cast<const char*>(memory[i].at), std::memory_order_relaxed);
      bytes_[i].store(memory[i].bytes, std::memory_order_relaxed);
    }
    count_.store(count, std::memory_order_relaxed);
    version_.fetch_add(1, std::memory_order_release);
  }

  /// Fetches a few lines of the part of thread `index` of `threads`. False when all are fetched.
  /// Another set() in between makes it fetch something of no use, no more.
  bool fetch(int index, int threads) noexcept {
    thread_local std::uint32_t version = 0;
    thread_local std::int64_t done = 0;
    if (const std::uint32_t now = version_.load(std::memory_order_acquire); now != version)
      version = now, done = 0;
    const std::size_t count = count_.load(std::memory_order_relaxed);
    if (count == 0 || done >= kBytes / static_cast<std::int64_t>(count)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t bytes = bytes_[i].load(std::memory_order_relaxed);
      const std::int64_t from = bytes / threads * index + done;
      const char* at = begin_[i].load(std::memory_order_relaxed) + from;
      for (std::int64_t line = 0; line < std::min(kStep, bytes - from); line += 64)
        _mm_prefetch(at + line, _MM_HINT_T1);
    }
    done += kStep;
    return true;
  }

 private:
  static constexpr std::int64_t kBytes = 128 << 10;  // a quarter of a small second-level cache
  static constexpr std::int64_t kStep = 256;         // so that work that comes is seen at once

  std::array<std::atomic<const char*>, kMostReadSoon> begin_{};
  std::array<std::atomic<std::int64_t>, kMostReadSoon> bytes_{};
  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint32_t> version_{0};
};

thread_local bool inside_job = false;
thread_local int index_in_pool = 0;
thread_local int most_threads = kMaxThreads;  // ThreadLimit

class Pool {
 public:
  Pool() { start(default_threads()); }
  ~Pool() { stop(); }

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  Ahead& ahead() { return ahead_; }

  void resize(int n) {
    const std::lock_guard<std::mutex> lock(busy_);
    stop();
    start(n);
  }

  void run(std::int64_t n, std::int64_t grain, detail::ChunkFn fn, void* context) noexcept {
    const std::int64_t chunks = (n + grain - 1) / grain;
    const int wanted = std::min(most_threads, size());
    if (chunks <= 1 || wanted == 1 || inside_job || !busy_.try_lock())
      return run_alone(n, grain, fn, context);
    const StallGuard::Time begin = std::chrono::steady_clock::now();
    if (guard_.alone(begin)) {
      busy_.unlock();
      return run_alone(n, grain, fn, context);
    }
    if (wanted != active_.load(std::memory_order_relaxed)) let_work(wanted);
    n_ = n, grain_ = grain, fn_ = fn, context_ = context;
    next_.store(0, std::memory_order_relaxed);
    state_.store(next_job() | kOpen, std::memory_order_release);
    state_.notify_all();
    work();
    state_.fetch_and(~kOpen, std::memory_order_acq_rel);
    wait_for_members(begin);
    busy_.unlock();
  }

 private:
  static void run_alone(std::int64_t n, std::int64_t grain, detail::ChunkFn fn,
                        void* context) noexcept {
    for (std::int64_t begin = 0; begin < n; begin += grain)
      fn(context, begin, std::min(n, begin + grain));
  }

  // The state of the pool: how many workers are in the job, whether it takes more, and its number,
  // which wraps: a worker that slept for 2^22 jobs may miss one, which costs time only.
  static constexpr std::uint32_t kMembers = (1U << 9) - 1, kOpen = 1U << 9, kJob = 1U << 10;
  static_assert(kMaxThreads <= kMembers);

  /// The number of the job to come. REQUIRES: closed, no members.
  std::uint32_t next_job() const {
    return (state_.load(std::memory_order_relaxed) & ~(kOpen | kMembers)) + kJob;
  }

  void start(int n) {
    stopping_.store(false);
    active_.store(n);
    const std::uint32_t seen = state_.load() & ~(kOpen | kMembers);
    const int core = sched_getcpu();
    for (int i = 1; i < n; ++i) {
      workers_.emplace_back([this, i, seen, core] {
        index_in_pool = i;
        spread_out(i, core);
        loop(seen);
      });
    }
  }

  void stop() {
    stopping_.store(true);
    state_.store(next_job(), std::memory_order_release);
    state_.notify_all();
    let_work(kMaxThreads + 1);
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  /// The first n threads take part in jobs, the caller included.
  void let_work(int n) noexcept {
    if (active_.exchange(n, std::memory_order_acq_rel) < n) active_.notify_all();
  }

  /// Returns at once where this worker takes part in jobs, else after that may have changed.
  bool sleeps_aside() noexcept {
    const int n = active_.load(std::memory_order_acquire);
    if (index_in_pool < n) return false;
    active_.wait(n, std::memory_order_acquire);
    return true;
  }

  /// A moment of waiting.
  void pass_time() noexcept {
    if (!ahead_.fetch(index_in_pool, active_.load(std::memory_order_relaxed))) _mm_pause();
  }

  bool has_members() const { return (state_.load(std::memory_order_acquire) & kMembers) != 0; }

  void wait_for_members(StallGuard::Time begin) noexcept {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (!has_members()) return;
      pass_time();
    }
    const StallGuard::Time worked = std::chrono::steady_clock::now();
    while (true) {
      const std::uint32_t ended = ended_.load(std::memory_order_acquire);
      if (!has_members()) break;
      ended_.wait(ended, std::memory_order_acquire);
    }
    guard_.job(begin, worked, std::chrono::steady_clock::now());
  }

  void loop(std::uint32_t seen) {
    for (int spin = 0;;) {
      std::uint32_t now = state_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_relaxed)) return;  // told before the state changed
      if (sleeps_aside()) continue;
      const std::uint32_t job = now & ~(kOpen | kMembers);
      if (job == seen || (now & kOpen) == 0) {
        if (++spin < kSpins) {
          pass_time();
        } else {
          state_.wait(now, std::memory_order_acquire);
        }
        continue;
      }
      if (!state_.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) continue;
      spin = 0, seen = job;
      work();
      leave();
    }
  }

  void leave() noexcept {
    const std::uint32_t now = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if ((now & (kOpen | kMembers)) != 0) return;
    ended_.fetch_add(1, std::memory_order_release);
    ended_.notify_one();
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
  std::atomic<std::uint32_t> state_{0};
  std::atomic<int> active_{1};           // threads that take part, the caller included
  std::atomic<std::uint32_t> ended_{0};  // jobs whose last member left after they were closed
  std::atomic<std::int64_t> next_{0};
  StallGuard guard_;
  Ahead ahead_;
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

ThreadLimit::ThreadLimit(int n) : outer_(most_threads) {
  most_threads = std::max(1, std::min(n, outer_));
}

ThreadLimit::~ThreadLimit() { most_threads = outer_; }

void read_soon(std::span<const ReadSoon> memory) noexcept { pool().ahead().set(memory); }

namespace detail {
void run_chunks(std::int64_t n, std::int64_t grain, ChunkFn fn, void* context) noexcept {
  if (n <= 0) return;
  pool().run(n, std::max<std::int64_t>(grain, 1), fn, context);
}
}  // namespace detail

}  // namespace lathe
