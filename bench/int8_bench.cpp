// The int8 product against the f32 product, in one process, interleaved:
//
//   int8_bench [--threads 1] [--isa LEVEL] [--rounds 7] [--only TEXT]
//
// Shapes are those of a training step of the two models of bench/: forward products and input
// gradients of the matrices of blocks. GOP/s come from the fastest call, rounding of both sides
// included; the ratio is f32's time to int8's, from the fastest calls and from the medians. One
// thread is timed by its processor time.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "bench/arrays.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/linear_int8.h"
#include "lathe/engine/kernels/matmul.h"
#include "lathe/engine/kernels/peak.h"

namespace lathe::bench {
namespace {

struct Shape {
  const char* name;
  std::int64_t m, n, k;
  bool back = false;  // dx = dy W: the weight's outputs are adjacent
};

// clang-format off
constexpr Shape kShapes[] = {
    {"10M qkvo fwd",   4096,  320,  320},
    {"10M qkvo dx",    4096,  320,  320, true},
    {"10M up fwd",     4096,  864,  320},
    {"10M up dx",      4096,  320,  864, true},
    {"10M down fwd",   4096,  320,  864},
    {"10M down dx",    4096,  864,  320, true},
    {"135M q,o fwd",   1024,  576,  576},
    {"135M q,o dx",    1024,  576,  576, true},
    {"135M k,v fwd",   1024,  192,  576},
    {"135M k,v dx",    1024,  576,  192, true},
    {"135M up fwd",    1024, 1536,  576},
    {"135M up dx",     1024,  576, 1536, true},
    {"135M down fwd",  1024,  576, 1536},
    {"135M down dx",   1024, 1536,  576, true},
};
// clang-format on

double seconds(int threads) {
  timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Times {
  std::vector<double> all;
  double best() const { return *std::min_element(all.begin(), all.end()); }
  double median() const {
    std::vector<double> sorted = all;
    std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
    return sorted[sorted.size() / 2];
  }
};

/// Calls for about 30 ms, at least twice; the first is not counted.
void burst(const std::function<void()>& call, int threads, Times& times) {
  call();
  const double begin = seconds(threads);
  do {
    const double start = seconds(threads);
    call();
    times.all.push_back(seconds(threads) - start);
  } while (seconds(threads) - begin < 0.03);
}

struct Sum {
  double f32 = 0, int8 = 0;
};

void measure(const Shape& s, int threads, int rounds, Sum& sum) {
  Arrays arrays;
  const auto make = [&](std::int64_t rows, std::int64_t columns) {
    return arrays.normal(DType::f32, {rows, columns});
  };
  const View x = make(s.m, s.k), y = make(s.m, s.n);
  const View w = s.back ? make(s.k, s.n) : make(s.n, s.k);
  kernels::LinearInt8Args a{.x = x, .w = s.back ? turned(w) : w, .y = y};
  a.workspace_bytes = kernels::linear_int8_workspace(a);
  kernels::MatmulArgs b{.a = x, .b = s.back ? w : turned(w), .c = y};
  b.workspace_bytes = kernels::matmul_workspace(b);
  a.workspace = b.workspace = arrays.workspace(std::max(a.workspace_bytes, b.workspace_bytes));
  Times int8, f32;
  for (int round = 0; round < rounds; ++round) {
    burst([&] { kernels::linear_int8(a); }, threads, int8);
    burst([&] { kernels::matmul(b); }, threads, f32);
  }
  const double work = 2e-9 * static_cast<double>(s.m * s.n) * static_cast<double>(s.k);
  fmt::print("| {:13} | {:4} x {:4} x {:4} | {:6.1f} | {:6.1f} | {:5.2f} | {:5.2f} |\n", s.name,
             s.m, s.n, s.k, work / f32.best(), work / int8.best(), f32.best() / int8.best(),
             f32.median() / int8.median());
  std::fflush(stdout);
  sum.f32 += f32.median(), sum.int8 += int8.median();
}

/// Highest rate of one core on registers alone.
template <typename Peak>
double peak(Peak run, std::int64_t work_a_round) {
  float sink = 0;
  double best = 0;
  for (int i = 0; i < 9; ++i) {
    const double start = seconds(1);
    run({.rounds = 200'000, .sink = &sink});
    best = std::max(best, 2e-4 * static_cast<double>(work_a_round) / (seconds(1) - start));
  }
  return best;
}

int run(int argc, char** argv) {
  int threads = 1, rounds = 7;
  std::string isa, only;
  CLI::App app("Int8 products against f32 products");
  app.add_option("--threads", threads);
  app.add_option("--isa", isa);
  app.add_option("--rounds", rounds);
  app.add_option("--only", only, "shapes whose name holds this text");
  CLI11_PARSE(app, argc, argv);
  for (const auto level : {kernels::Isa::avx2, kernels::Isa::avx2_vnni, kernels::Isa::avx512,
                           kernels::Isa::avx512_vnni})
    if (name(level) == isa && !kernels::set_isa(level))
      fmt::print("this processor has no {}\n", isa);
  set_thread_count(1);
  fmt::print("instruction set {}, {} threads; one core: f32 {:.0f}, int8 {:.0f} GOP/s\n",
             name(kernels::isa()), threads, peak(kernels::peak_f32, kernels::kPeakFlops),
             peak(kernels::peak_int8, kernels::kPeakOpsInt8));
  fmt::print(
      "| shape | m x n x k | f32 GOP/s | int8 GOP/s | best/best | median/median |\n"
      "|---|---|---|---|---|---|\n");
  set_thread_count(threads);
  Sum sum;
  for (const Shape& s : kShapes)
    if (std::string(s.name).find(only) != std::string::npos) measure(s, threads, rounds, sum);
  fmt::print("all together: f32 {:.1f} ms, int8 {:.1f} ms: {:.2f}\n", 1e3 * sum.f32, 1e3 * sum.int8,
             sum.f32 / sum.int8);
  return 0;
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) { return lathe::bench::run(argc, argv); }
