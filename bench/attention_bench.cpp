// Attention, forward and backward, in GFLOP/s of the pairs that are seen (two products forward,
// five backward). Arguments: T, H, K, D, batch; the type and the instruction set are in the name.
// Decoding at depth from pages by type of cache, in GB/s of pages read and share of the bandwidth
// that reading beyond the caches has on these threads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "bench/arrays.h"
#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/kernels/kv_pages.h"
#include "lathe/engine/kernels/peak.h"

namespace lathe::kernels {
namespace {

/// A fused q k v projection, gradients beside it, documents of equal length.
class Bench {
 public:
  Bench(const benchmark::State& state, DType dtype, std::int64_t queries)
      : keys_(state.range(0)),
        heads_(state.range(1)),
        kv_(state.range(2)),
        size_(state.range(3)),
        batch_(state.range(4)),
        queries_(queries),
        dtype_(dtype) {
    const std::int64_t token = (heads_ + 2 * kv_) * size_;
    fused_ = draw(batch_ * keys_ * token, 1);
    gradient_ = draw(batch_ * keys_ * token, 2);
    out_ = draw(batch_ * queries_ * heads_ * size_, 3);
    dout_ = draw(batch_ * queries_ * heads_ * size_, 4);
    lse_.resize(static_cast<std::size_t>(batch_ * heads_ * queries_));
    args_ = args();
    const std::int64_t bytes =
        std::max(attention_workspace(args_), attention_backward_workspace(args_));
    workspace_.resize(static_cast<std::size_t>(bytes));
    args_.workspace = workspace_.data(), args_.workspace_bytes = bytes;
    attention(args_);
  }

  const AttentionBackwardArgs& operator*() const { return args_; }

  /// Floating point operations of one product of queries and keys, over visible pairs.
  double product_flops() const {
    double pairs = 0;
    for (std::int64_t i = 0; i < queries_; ++i)
      pairs += static_cast<double>(keys_ - queries_ + i + 1);
    return 2.0 * pairs * static_cast<double>(batch_ * heads_ * size_);
  }

 private:
  std::vector<std::uint32_t> draw(std::int64_t n, std::uint64_t seed) const {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < words.size(); ++i) {
      const float x = static_cast<float>((i * 2654435761u + seed * 40503u) % 2001) / 1000.0f - 1.0f;
      if (dtype_ == DType::f32) {
        words[i] = std::bit_cast<std::uint32_t>(x);
      } else {
        words[i] = to_bf16(x).bits * 65537u;
      }
    }
    return words;
  }

  View part(std::vector<std::uint32_t>& a, std::int64_t length, std::int64_t head,
            std::int64_t heads) const {
    const std::int64_t all = heads_ + 2 * kv_;
    return {.data = reinterpret_cast<char*>(a.data()) +
                    static_cast<std::size_t>(head * size_) * size_of(dtype_),
            .dims = {batch_, length, heads, size_},
            .strides = {keys_ * all * size_, all * size_, size_, 1},
            .rank = 4,
            .dtype = dtype_};
  }
  View dense(std::vector<std::uint32_t>& a) const {
    return bench::dense(a.data(), dtype_, {batch_, queries_, heads_, size_});
  }

  AttentionBackwardArgs args() {
    AttentionBackwardArgs a;
    a.q = part(fused_, queries_, 0, heads_), a.dq = part(gradient_, queries_, 0, heads_);
    a.k = part(fused_, keys_, heads_, kv_), a.dk = part(gradient_, keys_, heads_, kv_);
    a.v = part(fused_, keys_, heads_ + kv_, kv_), a.dv = part(gradient_, keys_, heads_ + kv_, kv_);
    a.out = dense(out_), a.dout = dense(dout_);
    a.lse = {.data = lse_.data(),
             .dims = {batch_, heads_, queries_},
             .strides = {heads_ * queries_, queries_, 1},
             .rank = 3};
    a.scale = 1.0f / std::sqrt(static_cast<float>(size_));
    a.query_offset = keys_ - queries_;
    return a;
  }

  std::int64_t keys_, heads_, kv_, size_, batch_, queries_;
  DType dtype_;
  std::vector<std::uint32_t> fused_, gradient_, out_, dout_;
  std::vector<float> lse_;
  std::vector<char> workspace_;
  AttentionBackwardArgs args_;
};

void report(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void forward(benchmark::State& state, DType dtype, Isa level) {
  set_isa(level);
  Bench bench(state, dtype, state.range(0));
  for (auto _ : state) attention(*bench);
  report(state, 2 * bench.product_flops());
}

void backward(benchmark::State& state, DType dtype, Isa level) {
  set_isa(level);
  Bench bench(state, dtype, state.range(0));
  for (auto _ : state) attention_backward(*bench);
  report(state, 5 * bench.product_flops());
}

/// One query against T cached keys; GB/s of keys and values read.
void decode(benchmark::State& state, DType dtype, Isa level) {
  set_isa(level);
  Bench bench(state, dtype, 1);
  for (auto _ : state) attention(*bench);
  const double bytes =
      2.0 * static_cast<double>(state.range(0) * state.range(2) * state.range(3) * state.range(4)) *
      static_cast<double>(size_of(dtype));
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// One query a row against T keys in pages, through layers that do not fit the caches together, as
/// in a step of decoding.
class PagedBench {
 public:
  PagedBench(const benchmark::State& state, KvType type)
      : rows_(state.range(4)),
        blocks_(state.range(0) / kKvPage),
        page_(kv_page_bytes(type, state.range(2), state.range(3))) {
    constexpr std::int64_t kBeyondCaches = std::int64_t{256} << 20;
    layers_ = std::max<std::int64_t>(2, kBeyondCaches / bytes_of_a_call());
    const std::int64_t floats = layers_ * bytes_of_a_call() / 4;
    // Bytes 0x3C: about 0.01 in f32 and bf16, 60 with such scales in q8_0.
    pages_.assign(static_cast<std::size_t>(floats), std::bit_cast<float>(0x3C3C3C3Cu));
    for (std::int64_t i = 0; i < rows_ * blocks_; ++i) table_.push_back(static_cast<int>(i));
    first_.assign(static_cast<std::size_t>(rows_), static_cast<int>(state.range(0) - 1));
    q_.assign(static_cast<std::size_t>(rows_ * state.range(1) * state.range(3)), 0.25f);
    out_ = q_;
    args_.q = bench::dense(q_.data(), DType::f32, {rows_, 1, state.range(1), state.range(3)});
    args_.out = bench::dense(out_.data(), DType::f32, {rows_, 1, state.range(1), state.range(3)});
    args_.pages.pages = bench::dense(pages_.data(), DType::u8, {rows_ * blocks_, page_});
    args_.pages.table = bench::dense(table_.data(), DType::i32, {rows_, blocks_});
    args_.pages.first = bench::dense(first_.data(), DType::i32, {rows_});
    args_.pages.type = type;
    args_.scale = 0.125f;
    workspace_.resize(static_cast<std::size_t>(attention_paged_workspace(args_)));
    args_.workspace = workspace_.data();
    args_.workspace_bytes = static_cast<std::int64_t>(workspace_.size());
  }

  std::int64_t bytes_of_a_call() const { return rows_ * blocks_ * page_; }

  void next_layer() {
    args_.pages.pages.data = reinterpret_cast<char*>(pages_.data()) + layer_ * bytes_of_a_call();
    layer_ = (layer_ + 1) % layers_;
    attention_paged(args_);
  }

 private:
  std::int64_t rows_, blocks_, page_, layers_ = 0, layer_ = 0;
  std::vector<float> pages_, q_, out_;
  std::vector<int> table_, first_;
  std::vector<char> workspace_;
  AttentionPagedArgs args_;
};

void decode_pages(benchmark::State& state, KvType type, Isa level, double bandwidth) {
  set_isa(level);
  PagedBench bench(state, type);
  for (auto _ : state) bench.next_layer();
  const auto bytes = static_cast<double>(bench.bytes_of_a_call());
  using Counter = benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["share"] = Counter(bytes / bandwidth, Counter::kIsIterationInvariantRate);
}

/// Bytes a second, read by all threads from more memory than the caches hold.
double bandwidth() {
  std::vector<float> memory(std::size_t{64} << 20, 1.0f);
  double best = 0;
  std::vector<float> sink(256);
  for (int i = 0; i < 6; ++i) {
    const auto start = std::chrono::steady_clock::now();
    peak_read({memory.data(), static_cast<std::int64_t>(memory.size()), sink.data()});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(memory.size() * 4) / seconds.count());
  }
  return best;
}

void add_decoding() {
  const double most = bandwidth();
  for (const Isa level : {Isa::avx2, Isa::avx512})
    for (const KvType type : {KvType::f32, KvType::bf16, KvType::q8_0}) {
      if (level > best_isa()) continue;
      const std::string title = std::string("attention/decode_pages/") + std::string(name(level)) +
                                "/" + std::string(name(type));
      benchmark::RegisterBenchmark(title.c_str(), decode_pages, type, level, most)
          ->Args({512, 9, 3, 64, 1})
          ->Args({4096, 9, 3, 64, 1})
          ->Args({4096, 9, 3, 64, 8})
          ->Args({4096, 32, 8, 128, 1})
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond)
          ->MinTime(0.3);
    }
}

void add_all() {
  using Function = void (*)(benchmark::State&, DType, Isa);
  const std::pair<const char*, Function> kinds[] = {
      {"forward", forward}, {"backward", backward}, {"decode", decode}};
  const std::vector<std::vector<std::int64_t>> shapes = {
      {1024, 9, 3, 64, 2}, {512, 6, 2, 48, 8}, {2048, 8, 8, 128, 1}};
  for (const auto& [kind, function] : kinds)
    for (const Isa level : {Isa::avx2, Isa::avx512, Isa::avx512_bf16})
      for (const DType dtype : {DType::f32, DType::bf16}) {
        if (level > best_isa() || (level == Isa::avx512_bf16 && dtype == DType::f32)) continue;
        const std::string title = std::string("attention/") + kind + "/" +
                                  std::string(name(level)) + "/" + std::string(lathe::name(dtype));
        auto* b = benchmark::RegisterBenchmark(title.c_str(), function, dtype, level);
        for (const auto& shape : shapes) b->Args(shape);
        b->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.3);
      }
}

}  // namespace
}  // namespace lathe::kernels

int main(int argc, char** argv) {
  lathe::kernels::add_all();
  lathe::kernels::add_decoding();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
