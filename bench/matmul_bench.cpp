// Our matrix product against oneDNN's, in one process, interleaved:
//
//   matmul_bench [--threads 1,2] [--dtype f32,bf16] [--isa LEVEL] [--rounds 7] [--only TEXT]
//
// Shapes are those of the two models of issue 3. Kinds: fwd y = x W^T, dx = dy W, dw += dy^T x.
// A round times a burst of ours, then one of theirs (order alternating), with pauses in between in
// which the other's threads fall asleep. One thread is timed by its processor time. GFLOP/s come
// from the fastest call, the ratio from it and from the medians. A last line for each
// type and number of threads adds up the medians of the training shapes.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/arrays.h"
#include "bench/onednn_matmul.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/matmul.h"
#include "lathe/engine/kernels/peak.h"

namespace lathe::bench {
namespace {

enum class Kind { forward, input_gradient, weight_gradient };

struct Shape {
  const char* name;
  Kind kind;
  std::int64_t m, n, k;
};

// clang-format off
constexpr Shape kShapes[] = {
    {"10M qkvo fwd",        Kind::forward,         512, 320, 320},
    {"10M qkvo fwd",        Kind::forward,        4096, 320, 320},
    {"10M up fwd",          Kind::forward,        4096, 864, 320},
    {"10M down fwd",        Kind::forward,        4096, 320, 864},
    {"10M qkvo dx",         Kind::input_gradient, 4096, 320, 320},
    {"10M down dx",         Kind::input_gradient, 4096, 864, 320},
    {"10M qkvo dw",         Kind::weight_gradient, 320, 320, 4096},
    {"10M up dw",           Kind::weight_gradient, 864, 320, 4096},
    {"10M head fwd",        Kind::forward,         512, 8192, 320},
    {"10M head dx",         Kind::input_gradient,  512, 320, 8192},
    {"10M head dw",         Kind::weight_gradient, 8192, 320, 512},
    {"135M q,o fwd",        Kind::forward,        1024, 576, 576},
    {"135M k,v fwd",        Kind::forward,        1024, 192, 576},
    {"135M up fwd",         Kind::forward,        2048, 1536, 576},
    {"135M down fwd",       Kind::forward,        2048, 576, 1536},
    {"135M q,o dx",         Kind::input_gradient, 1024, 576, 576},
    {"135M up dx",          Kind::input_gradient, 2048, 576, 1536},
    {"135M q,o dw",         Kind::weight_gradient, 576, 576, 1024},
    {"135M k,v dw",         Kind::weight_gradient, 192, 576, 1024},
    {"135M up dw",          Kind::weight_gradient, 1536, 576, 2048},
    {"135M head fwd",       Kind::forward,         256, 49152, 576},
    {"135M head fwd",       Kind::forward,         512, 49152, 576},
    {"135M head dx",        Kind::input_gradient,  256, 576, 49152},
    {"135M head dw",        Kind::weight_gradient, 49152, 576, 256},
    {"135M up decode",      Kind::forward,           1, 1536, 576},
    {"135M up decode",      Kind::forward,          16, 1536, 576},
    {"135M head decode",    Kind::forward,           1, 49152, 576},
    {"135M head decode",    Kind::forward,          16, 49152, 576},
};
// clang-format on

/// Small random values, as the transpose of a dense matrix where the kind of product has it so.
View make(Arrays& arrays, std::int64_t rows, std::int64_t columns, bool transposed, DType dtype) {
  return transposed ? turned(arrays.uniform(dtype, {columns, rows}, -0.5, 0.5))
                    : arrays.uniform(dtype, {rows, columns}, -0.5, 0.5);
}

/// Times of single calls, in seconds.
struct Times {
  std::vector<double> all;
  double best() const { return *std::min_element(all.begin(), all.end()); }
  double median() const {
    std::vector<double> sorted = all;
    std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
    return sorted[sorted.size() / 2];
  }
};

/// Seconds on the clock that judges: processor time of this thread when it works alone (so that
/// other processes hardly disturb), else wall time.
double seconds(int threads) {
  timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// What one core multiplies when nothing else limits it, in GFLOP/s: the best of a few short runs.
/// Leaves one thread in the pool.
double peak_gflops(bool pairs) {
  set_thread_count(1);
  float sink = 0;
  const kernels::PeakArgs args{.rounds = 1'000'000, .sink = &sink};
  const auto work =
      static_cast<double>(args.rounds * (pairs ? kernels::kPeakFlopsBf16 : kernels::kPeakFlops));
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double start = seconds(1);
    pairs ? kernels::avx512_bf16::peak_bf16(args) : kernels::peak_f32(args);
    best = std::max(best, 1e-9 * work / (seconds(1) - start));
  }
  return best;
}

/// Calls for about 30 ms, at least once; the first call of a burst wakes threads and is not counted
/// when there are others.
void burst(const std::function<void()>& call, int threads, Times& times) {
  const double begin = seconds(threads);
  call();
  const double first = seconds(threads) - begin;
  if (first > 0.03) {
    times.all.push_back(first);
    return;
  }
  while (seconds(threads) - begin < 0.03) {
    const double start = seconds(threads);
    call();
    times.all.push_back(seconds(threads) - start);
  }
}

struct Options {
  std::vector<int> threads = {1, thread_count()};
  std::vector<std::string> dtypes = {"f32", "bf16"};
  std::string isa, only;
  int rounds = 7;
};

/// Seconds of one call of every training shape, by the medians.
struct Sum {
  double ours = 0, theirs = 0;
};

void measure(const Shape& shape, DType dtype, int threads, const Options& options, double peak,
             Sum& sum) {
  const bool dw = shape.kind == Kind::weight_gradient;
  Arrays arrays;
  const View a = make(arrays, shape.m, shape.k, dw, dtype);
  const View b = make(arrays, shape.k, shape.n, shape.kind == Kind::forward, dtype);
  const View c = make(arrays, shape.m, shape.n, false, dw ? DType::f32 : dtype);
  kernels::MatmulArgs args{.a = a, .b = b, .c = c, .accumulate = dw};
  args.workspace_bytes = kernels::matmul_workspace(args);
  args.workspace = arrays.workspace(args.workspace_bytes);
  const auto opponent = onednn_matmul(args);
  Times ours, theirs;
  const auto rest = [] { std::this_thread::sleep_for(std::chrono::milliseconds(8)); };
  for (int round = 0; round < options.rounds; ++round) {
    for (const bool turn : {round % 2 == 0, round % 2 != 0}) {
      rest();
      if (turn) {
        burst([&] { kernels::matmul(args); }, threads, ours);
      } else if (opponent) {
        burst([&] { opponent->run(); }, threads, theirs);
      }
    }
  }
  const double work = 2e-9 * static_cast<double>(shape.m * shape.n) * static_cast<double>(shape.k);
  fmt::print("| {:16} | {:5} x {:5} x {:5} | {:4} | {} | {:7.1f} | {:4.0f}% |", shape.name, shape.m,
             shape.n, shape.k, name(dtype), threads, work / ours.best(),
             100 * work / ours.best() / (peak * threads));
  if (opponent) {
    fmt::print(" {:7.1f} | {:5.2f} | {:5.2f} |", work / theirs.best(), theirs.best() / ours.best(),
               theirs.median() / ours.median());
    const bool training = shape.m > 16;
    if (training) sum.ours += ours.median(), sum.theirs += theirs.median();
  }
  fmt::print("\n");
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Matrix products: ours against oneDNN's");
  app.add_option("--threads", options.threads)->delimiter(',');
  app.add_option("--dtype", options.dtypes)->delimiter(',');
  app.add_option("--isa", options.isa);
  app.add_option("--only", options.only, "shapes whose name holds this text");
  app.add_option("--rounds", options.rounds);
  CLI11_PARSE(app, argc, argv);
  for (const auto level : {kernels::Isa::avx2, kernels::Isa::avx512, kernels::Isa::avx512_bf16})
    if (name(level) == options.isa && !kernels::set_isa(level))
      fmt::print("this processor has no {}\n", options.isa);
  set_up_onednn(kernels::isa(), 1);
  const bool has_pairs = kernels::isa() == kernels::Isa::avx512_bf16;
  fmt::print("instruction set {}; one core: f32 {:.0f}, bf16 {:.0f} GFLOP/s\n",
             name(kernels::isa()), peak_gflops(false), peak_gflops(has_pairs));
  fmt::print(
      "| shape | m x n x k | type | threads | ours GFLOP/s | of peak | oneDNN | best/best "
      "| median/median |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const std::string& type : options.dtypes) {
    const DType dtype = type == "bf16" ? DType::bf16 : DType::f32;
    for (const int threads : options.threads) {
      set_onednn_threads(threads);
      Sum sum;
      for (const Shape& shape : kShapes) {
        if (std::string(shape.name).find(options.only) == std::string::npos) continue;
        const double peak = peak_gflops(has_pairs && dtype == DType::bf16);
        set_thread_count(threads);
        measure(shape, dtype, threads, options, peak, sum);
      }
      if (sum.theirs > 0)
        fmt::print(
            "training shapes together, {}, {} threads: {:.1f} ms, oneDNN {:.1f} ms: {:.2f}\n", type,
            threads, 1e3 * sum.ours, 1e3 * sum.theirs, sum.theirs / sum.ours);
    }
  }
  return 0;
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) { return lathe::bench::run(argc, argv); }
