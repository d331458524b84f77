#include "lathe/engine/graph/captured.h"

#include "lathe/base/parallel.h"
#include "lathe/engine/graph/passes/pass.h"

namespace lathe::graph {

std::uint64_t mixed(std::uint64_t fingerprint, std::uint64_t number) {
  // FNV-1a over 64-bit words, and a shift: the low bits of addresses are all alike.
  fingerprint = (fingerprint ^ number) * 0x100000001b3ull;
  return fingerprint ^ fingerprint >> 29;
}

std::uint64_t memory_of(const Tensor& t) {
  if (!t.defined() || t.storage() == nullptr) return 0;
  return reinterpret_cast<std::uintptr_t>(t.storage()->data());
}

const std::vector<Tensor>& Captured::run(std::span<const Tensor> inputs, std::uint64_t state) {
  if (ops::is_recorded()) return run_eagerly(inputs);
  std::uint64_t key = mixed(mixed(state, static_cast<std::uint64_t>(thread_count())),
                            static_cast<std::uint64_t>(kernels::isa()));
  for (const Tensor& t : inputs) key = mixed(key, t.id());
  if (!replay_ || key != key_) {
    replay_.reset();
    Graph graph = capture(inputs, work_);
    passed_ = run_passes(graph, options_);
    replay_.emplace(std::move(graph), arena_);
    key_ = key;
    ++captures_;
  }
  replay_->run();
  return replay_->outputs();
}

}  // namespace lathe::graph
