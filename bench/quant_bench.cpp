// Products with quantised weights over all matrices of a model, one after the other, as decoding
// and prefill meet them (no cache holds them all):
//
//   quant_bench [type ...] [--model 135m|wide] [--threads N] [--batch 1,8,512] [--exact]
//
// Prints for each type and batch GOP/s (two a multiply-add), GB/s of weights read and tokens/s
// without attention and norms; the head is applied to one token in eight, at least one.
#include <fmt/core.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/kernels/linear_quantised.h"
#include "lathe/engine/kernels/peak.h"

namespace lathe::kernels {
namespace {

struct Matrix {
  std::int64_t n, k;
  std::vector<std::uint8_t> blocks;
};

struct Model {
  std::vector<Matrix> layers;
  Matrix head;

  std::int64_t bytes() const {
    std::int64_t sum = std::ssize(head.blocks);
    for (const Matrix& m : layers) sum += std::ssize(m.blocks);
    return sum;
  }
};

struct Sizes {
  std::int64_t layers, width, kv, hidden, vocab;
};

Matrix make_matrix(QuantType type, std::int64_t n, std::int64_t k) {
  Matrix m{n, k, std::vector<std::uint8_t>(static_cast<std::size_t>(n * row_bytes(type, k)))};
  std::vector<float> row(static_cast<std::size_t>(k));
  const RandomStream random(1, "bench");
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(0.02 * random.normal(i));
  std::vector<std::uint8_t> one(static_cast<std::size_t>(row_bytes(type, k)), 0x11);
  if (format(type).writable) quantise_row(type, row.data(), one.data(), k);
  for (std::size_t i = 0; i < m.blocks.size(); ++i) m.blocks[i] = one[i % one.size()];
  return m;
}

Model make_model(QuantType type, const Sizes& s) {
  Model model;
  for (std::int64_t l = 0; l < s.layers; ++l) {
    for (const std::int64_t n : {s.width, s.kv, s.kv, s.width, s.hidden, s.hidden})
      model.layers.push_back(make_matrix(type, n, s.width));
    model.layers.push_back(make_matrix(type, s.width, s.hidden));
  }
  model.head = make_matrix(type, s.vocab, s.width);
  return model;
}

View view(void* data, DType dtype, std::int64_t rows, std::int64_t columns) {
  View v;
  v.data = data, v.dtype = dtype, v.rank = 2;
  v.dims[0] = rows, v.dims[1] = columns, v.strides[0] = columns, v.strides[1] = 1;
  return v;
}

/// Runs products with memory that is kept.
class Runner {
 public:
  Runner(QuantType type, bool exact, std::int64_t largest)
      : type_(type),
        exact_(exact),
        x_(static_cast<std::size_t>(largest), 0.25f),
        y_(static_cast<std::size_t>(largest)) {
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<float>(i % 17) - 8.0f;
  }

  void run(const Matrix& w, std::int64_t m) {
    LinearQuantisedArgs args;
    args.x = view(x_.data(), DType::f32, m, w.k);
    args.y = view(y_.data(), DType::f32, m, w.n);
    args.blocks =
        view(const_cast<std::uint8_t*>(w.blocks.data()), DType::u8, w.n, row_bytes(type_, w.k));
    args.type = type_;
    args.exact = exact_;
    const auto bytes = static_cast<std::size_t>(linear_quantised_workspace(args));
    if (workspace_.size() < bytes + 64) workspace_.resize(bytes + 64);
    const auto start = reinterpret_cast<std::uintptr_t>(workspace_.data());
    args.workspace = workspace_.data() + (64 - start % 64) % 64;
    args.workspace_bytes = static_cast<std::int64_t>(bytes);
    linear_quantised(args);
  }

 private:
  QuantType type_;
  bool exact_;
  std::vector<float> x_, y_;
  std::vector<char> workspace_;
};

/// One thread is timed by its processor time, so that other work on the machine counts little.
double seconds() {
  timespec now{};
  clock_gettime(thread_count() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// f32 multiply-adds, the yardstick that is taken between runs: GFLOP/s.
double peak() {
  std::vector<float> sink(static_cast<std::size_t>(thread_count()));
  const PeakArgs args{.rounds = 20000, .sink = sink.data()};
  const double start = seconds();
  peak_f32(args);
  return static_cast<double>(args.rounds * kPeakFlops * (thread_count())) / (seconds() - start) /
         1e9;
}

void measure(QuantType type, const Sizes& sizes, const std::vector<int>& batches, bool exact,
             bool best) {
  const Model model = make_model(type, sizes);
  double weights = 0;
  for (const Matrix& m : model.layers) weights += static_cast<double>(m.n * m.k);
  fmt::print("{:7}", name(type));
  for (const int batch : batches) {
    const std::int64_t heads = std::max(1, batch / 8);
    Runner runner(type, exact, std::max(batch * sizes.hidden, heads * sizes.vocab));
    std::vector<double> times;
    double fastest = 0;
    const double begin = seconds();
    while (times.size() < 5 || (seconds() - begin < 1 && times.size() < 50)) {
      fastest = std::max(fastest, peak());
      const double start = seconds();
      for (const Matrix& m : model.layers) runner.run(m, batch);
      runner.run(model.head, heads);
      times.push_back(seconds() - start);
    }
    std::sort(times.begin(), times.end());
    const double median = times[best ? 0 : times.size() / 2];
    const double products =
        2.0 * (weights * batch +
               static_cast<double>(model.head.n * model.head.k) * static_cast<double>(heads));
    fmt::print(" | {:4}: {:5.0f} GOP/s = {:4.2f} x f32 {:5.1f} GB/s {:6.0f} tok/s", batch,
               products / median / 1e9, products / median / 1e9 / fastest,
               static_cast<double>(model.bytes()) / median / 1e9, batch / median);
  }
  fmt::print("\n");
}

}  // namespace
}  // namespace lathe::kernels

int main(int argc, char** argv) {
  using namespace lathe::kernels;
  CLI::App app("products with quantised weights");
  std::vector<std::string> types = {"Q8_0", "Q4_0", "Q5_0", "Q4_1", "Q5_1", "IQ4_NL", "MXFP4"};
  std::string model = "135m";
  std::vector<int> batches = {1, 8, 512};
  int threads = lathe::thread_count();
  bool exact = false, best = false;
  app.add_option("types", types);
  app.add_option("--model", model, "135m or wide (1024, 12 layers)");
  app.add_option("--batch", batches)->delimiter(',')->allow_extra_args(false);
  app.add_option("--threads", threads);
  app.add_flag("--exact", exact);
  app.add_flag("--best", best, "the fastest of the runs, not the median");
  CLI11_PARSE(app, argc, argv);
  lathe::set_thread_count(threads);
  const Sizes sizes =
      model == "wide" ? Sizes{12, 1024, 256, 2816, 32000} : Sizes{30, 576, 192, 1536, 49152};
  fmt::print("{} threads, {}{}\n", threads, name(isa()), exact ? ", exact" : "");
  for (const std::string& text : types)
    if (const auto type = quant_type(text)) measure(*type, sizes, batches, exact, best);
  return 0;
}
