// Every kernel of the engine by itself, at the shapes of SmolLM2-135M:
//
//   kernel_bench --benchmark_filter=rms --benchmark_min_time=0.1
//   LATHE_ISA=avx2 LATHE_THREADS=1 kernel_bench --benchmark_format=json
//
// FLOP/s and bytes/s are of wall time; bytes are those that a call must read and write once. Most
// arrays stay in the caches between calls, as they do in the engine (rows_bench: arrays that no
// cache holds). The label is the instruction set and the threads. The peaks come first: what the
// others can be at most.
#include "bench/kernel_bench.h"

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <utility>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/peak.h"

namespace lathe::bench {

void add(const std::string& name, std::function<Call(Arrays&)> prepare) {
  const auto measure = [prepare = std::move(prepare)](benchmark::State& state) {
    using benchmark::Counter;
    Arrays arrays;
    const Call call = prepare(arrays);
    call.run();  // meets pages that nobody has touched, and threads that sleep
    for (auto _ : state) call.run();
    constexpr auto kRate = Counter::kIsIterationInvariantRate;
    if (call.bytes > 0) state.counters["bytes/s"] = Counter(call.bytes, kRate);
    if (call.flops > 0) state.counters["FLOP/s"] = Counter(call.flops, kRate);
    state.SetLabel(fmt::format("{}, {} threads", kernels::name(kernels::isa()), thread_count()));
  };
  benchmark::RegisterBenchmark(name.c_str(), measure)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

namespace {

using namespace kernels;

void add_peak(const std::string& name, void (*peak)(const PeakArgs&), std::int64_t round) {
  add("peak/" + name, [=](Arrays& a) -> Call {
    const View sink = a.zeros(DType::f32, {thread_count()});
    const PeakArgs args{.rounds = 100'000, .sink = sink.as<float>()};
    return {.run = [=] { peak(args); },
            .flops = static_cast<double>(args.rounds * round * thread_count())};
  });
}

}  // namespace

void add_peaks() {
  add_peak("f32", peak_f32, kPeakFlops);
  add_peak("int8", peak_int8, kPeakOpsInt8);
  if (isa() == Isa::avx512_bf16) add_peak("bf16", avx512_bf16::peak_bf16, kPeakFlopsBf16);
  add("peak/read", [](Arrays& a) -> Call {
    const View x = a.zeros(DType::f32, {std::int64_t{64} << 20});
    const View sink = a.zeros(DType::f32, {thread_count()});
    const ReadArgs args{x.as<float>(), x.count(), sink.as<float>()};
    return {.run = [=] { peak_read(args); }, .bytes = bytes_of({x})};
  });
}

}  // namespace lathe::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  using namespace lathe::bench;
  for (const auto add_family : {add_peaks, add_products, add_quantised, add_attention, add_rows,
                                add_elements, add_optimizers})
    add_family();
  benchmark::RunSpecifiedBenchmarks();
}
