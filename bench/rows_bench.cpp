// Bandwidth of the row, elementwise and optimizer kernels on arrays that no cache holds, beside a
// plain copy: rows_bench [million elements] [threads]. Bytes are those a kernel must read and write
// once. On one thread processor time is measured, so that other work on the machine counts little.
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/activation.h"
#include "lathe/engine/kernels/cross_entropy.h"
#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/kernels/embedding.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/kernels/layer_norm.h"
#include "lathe/engine/kernels/movement.h"
#include "lathe/engine/kernels/optimizer.h"
#include "lathe/engine/kernels/reduce.h"
#include "lathe/engine/kernels/rms_norm.h"
#include "lathe/engine/kernels/rope.h"
#include "lathe/engine/kernels/softmax.h"
#include "lathe/engine/kernels/statistics.h"

namespace lathe::kernels {
namespace {

constexpr std::int64_t kWidth = 576, kVocabulary = 49152;

/// Memory for the operands; the values do not matter as long as they are ordinary numbers.
class Arena {
 public:
  explicit Arena(std::int64_t elements) : elements_(elements) {}

  View take(DType dtype, std::int64_t rows, std::int64_t columns) {
    memory_.emplace_back(static_cast<std::size_t>(rows * columns) * size_of(dtype));
    View v;
    v.data = memory_.back().data();
    v.rank = 2, v.dtype = dtype;
    v.dims[0] = rows, v.dims[1] = columns, v.strides[0] = columns, v.strides[1] = 1;
    if (is_float(dtype)) fill({v, 0.01});
    return v;
  }
  View rows(DType dtype) { return take(dtype, elements_ / kWidth, kWidth); }
  View vector(DType dtype, std::int64_t n) {
    View v = take(dtype, 1, n);
    v.rank = 1, v.dims[0] = n, v.strides[0] = 1;
    return v;
  }
  std::int64_t elements() const { return elements_; }

 private:
  std::int64_t elements_;
  std::vector<std::vector<char>> memory_;
};

double seconds() {
  timespec now{};
  clock_gettime(lathe::thread_count() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Best of five, in GB/s.
double bandwidth(double bytes, const std::function<void()>& run) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double start = seconds();
    run();
    best = std::min(best, seconds() - start);
  }
  return bytes / best / 1e9;
}

void report(const char* what, double bytes, const std::function<void()>& run) {
  fmt::print("{:34}", what);
  const Isa keep = isa();
  for (const Isa level : {Isa::avx2, Isa::avx512}) {
    if (!set_isa(level)) continue;
    fmt::print("  {} {:6.1f} GB/s", name(level), bandwidth(bytes, run));
  }
  set_isa(keep);
  fmt::print("\n");
}

void norms(Arena a) {
  const double n = static_cast<double>(a.elements());
  const View x = a.rows(DType::f32), y = a.rows(DType::bf16), dx = a.rows(DType::f32);
  const View w = a.vector(DType::f32, kWidth), dw = a.vector(DType::f32, kWidth);
  const View saved = a.vector(DType::f32, x.dims[0]), mean = a.vector(DType::f32, x.dims[0]);
  report("rms_norm f32 -> bf16", 6 * n, [&] { rms_norm({x, w, y, saved}); });
  report("rms_norm_backward (dx, dw)", 16 * n, [&] {
    rms_norm_backward(
        {.x = x, .weight = w, .inverse_rms = saved, .dy = y, .dx = dx, .dweight_acc = dw});
  });
  report("layer_norm f32 -> bf16", 6 * n, [&] { layer_norm({x, w, w, y, mean, saved}); });
  report("softmax f32, width 576", 8 * n, [&] { softmax({x, dx}); });
  report("reduce rows into a bias", 4 * n, [&] { reduce({x, dw, Reduce::sum, true}); });
}

void elementwise(Arena a) {
  const double n = static_cast<double>(a.elements());
  const View x = a.rows(DType::f32), y = a.rows(DType::f32), half = a.rows(DType::bf16);
  const View gate = a.rows(DType::bf16), up = a.rows(DType::bf16), out = a.rows(DType::bf16);
  report("copy f32", 8 * n, [&] { copy({x, y}); });
  report("memcpy, one thread", 8 * n,
         [&] { std::memcpy(y.data, x.data, static_cast<std::size_t>(x.count()) * 4); });
  report("add f32 + bf16 -> f32 in place", 10 * n, [&] { binary({x, half, x, Binary::add}); });
  report("cast f32 -> bf16", 6 * n, [&] { cast({x, half}); });
  report("gated silu bf16", 6 * n, [&] { gated({gate, up, out}); });
  report("gated silu backward bf16", 10 * n, [&] { gated_backward({gate, up, out, gate, up}); });
  report("gelu tanh f32", 8 * n, [&] { activation({x, y, Activation::gelu_tanh}); });
  double norm = 0;
  report("sum_of_squares f32", 4 * n, [&] { sum_of_squares({x, &norm}); });
}

void tokens(Arena a) {
  const std::int64_t count = a.elements() / kWidth;
  const double n = static_cast<double>(a.elements());
  View x = a.take(DType::bf16, count, kWidth), ids = a.vector(DType::i32, count);
  const View positions = a.vector(DType::i32, count);
  for (std::int64_t i = 0; i < count; ++i)
    ids.as<std::int32_t>()[i] = static_cast<std::int32_t>(i * 7919 % kVocabulary);
  const View table = a.take(DType::f32, kVocabulary, kWidth), out = a.rows(DType::f32);
  report("embedding f32", 8 * n, [&] { embedding({table, ids, out}); });
  report("embedding_acc", 10 * n, [&] { embedding_acc({ids, x, table}); });
  const View cosine = a.take(DType::f32, 1024, 32), sine = a.take(DType::f32, 1024, 32);
  View heads = x;
  heads.rank = 4;
  const std::int64_t dims[] = {1, count, kWidth / 64, 64}, strides[] = {0, kWidth, 64, 1};
  for (int d = 0; d < 4; ++d) heads.dims[d] = dims[d], heads.strides[d] = strides[d];
  report("rope bf16 in place", 4 * n, [&] { rope({heads, cosine, sine, positions, heads}); });
}

void losses(Arena a) {
  const std::int64_t rows = std::max<std::int64_t>(1, a.elements() / kVocabulary);
  const double n = static_cast<double>(rows * kVocabulary);
  const View logits = a.take(DType::f32, rows, kVocabulary), nll = a.vector(DType::f32, rows);
  const View half = a.take(DType::bf16, rows, kVocabulary), targets = a.vector(DType::i32, rows);
  report("cross_entropy f32 -> bf16 gradient", 6 * n, [&] {
    cross_entropy({.logits = logits, .targets = targets, .nll = nll, .dlogits = half});
  });
}

void optimizers(Arena a) {
  const double n = static_cast<double>(a.elements());
  const View theta = a.rows(DType::f32), g = a.rows(DType::f32), m = a.rows(DType::f32);
  const View v = a.rows(DType::f32), shadow = a.rows(DType::bf16);
  report("adamw, bf16 shadow", 30 * n, [&] {
    adamw({.theta = theta, .gradient = g, .m = m, .v = v, .shadow = shadow, .lr = 1e-3});
  });
}

}  // namespace
}  // namespace lathe::kernels

int main(int argc, char** argv) {
  using namespace lathe::kernels;
  const std::int64_t millions = argc > 1 ? std::atoll(argv[1]) : 16;
  if (argc > 2) lathe::set_thread_count(std::atoi(argv[2]));
  const std::int64_t elements = millions * 1000000 / kWidth * kWidth;
  fmt::print("{} M elements, {} threads\n", millions, lathe::thread_count());
  elementwise(Arena(elements));
  norms(Arena(elements));
  tokens(Arena(elements));
  losses(Arena(elements));
  optimizers(Arena(elements));
}
