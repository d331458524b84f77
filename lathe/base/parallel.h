// The one parallel runtime: a small pool of worker threads shared by every kernel.
//
// Threads split outputs, never sums: work is cut into chunks of a fixed size (`grain`) that does
// not depend on the thread count, so results do not either.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace lathe {

/// Threads that parallel_for uses, the caller included. Defaults to the affinity mask and the
/// cgroup quota, or LATHE_THREADS when set.
int thread_count();

/// Changes the number of threads. Not to be called from inside parallel_for. 1 <= n <= 256.
void set_thread_count(int n);

/// Which of the thread_count() threads this is, 0 for any thread outside the pool; inside
/// parallel_for it selects a slice of a workspace.
int thread_index();

/// While it lives, the calling thread's jobs run on at most n of the thread_count() threads; the
/// others sleep. Results are the same. For phases that more threads do not make faster
/// (ThreadChoice).
class ThreadLimit {
 public:
  explicit ThreadLimit(int n);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int outer_;
};

namespace detail {
using ChunkFn = void (*)(void* context, std::int64_t begin, std::int64_t end) noexcept;
void run_chunks(std::int64_t n, std::int64_t grain, ChunkFn fn, void* context) noexcept;
}  // namespace detail

/// Calls body(begin, end) for consecutive chunks of at most `grain` indices that cover [0, n).
/// Chunks run in any order on any thread; a nested call runs in the calling thread. The body must
/// not throw (an escaping exception ends the process).
template <typename Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) noexcept {
  using Plain = std::remove_reference_t<Body>;
  detail::run_chunks(
      n, grain,
      [](void* context, std::int64_t begin, std::int64_t end) noexcept {
        (*static_cast<Plain*>(context))(begin, end);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace lathe
