// Operands of every layout for the tests of the matrix product, and the comparison by bits.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/kernels/matmul.h"

namespace lathe::kernels::testing_matmul {

enum class Layout { rows, columns, spread, backward, collide };
constexpr Layout kLayouts[] = {Layout::rows, Layout::columns, Layout::spread, Layout::backward};

/// A [batch, rows, columns] matrix that owns exactly the memory its strides reach.
struct Matrix {
  std::vector<char> bytes;
  View view;
};

inline std::int64_t row_stride_of(Layout layout, std::int64_t rows, std::int64_t columns) {
  switch (layout) {
    case Layout::rows:
      return columns;
    case Layout::columns:
      return 1;
    case Layout::collide:
      return (columns + 1023) / 1024 * 1024;
    default:
      return 3 * columns + 5 + rows % 2;
  }
}

inline View view_of(Layout layout, DType dtype, std::int64_t batch, std::int64_t rows,
                    std::int64_t columns) {
  View v;
  v.rank = batch > 0 ? 3 : 2;
  v.dtype = dtype;
  const std::int64_t row = row_stride_of(layout, rows, columns);
  const std::int64_t column = layout == Layout::columns  ? rows + 3
                              : layout == Layout::spread ? 3
                                                         : 1;
  const std::int64_t sign = layout == Layout::backward ? -1 : 1;
  if (batch > 0) v.dims[0] = batch;
  if (batch > 0) v.strides[0] = layout == Layout::columns ? (rows + 3) * columns : rows * row;
  v.dims[v.rank - 2] = rows;
  v.dims[v.rank - 1] = columns;
  v.strides[v.rank - 2] = sign * row;
  v.strides[v.rank - 1] = column;
  return v;
}

inline void put(const View& v, std::int64_t offset, float x) {
  if (v.dtype == DType::bf16) {
    v.as<bf16_t>()[offset] = to_bf16(x);
  } else {
    v.as<float>()[offset] = x;
  }
}

/// Normal values, one in eight a signed zero: sums of -0 tell padding from the true chain.
inline float value(const RandomStream& random, std::uint64_t i) {
  if (random.below(8, 2 * i + 1) == 0) return i % 2 == 0 ? 0.0f : -0.0f;
  return static_cast<float>(random.normal(2 * i));
}

struct Sizes {
  std::int64_t batch, m, n, k;  // batch 0: rank 2
};

inline Matrix make(const char* name, Layout layout, DType dtype, std::int64_t batch,
                   std::int64_t rows, std::int64_t columns) {
  Matrix x{{}, view_of(layout, dtype, batch, rows, columns)};
  const View& v = x.view;
  const std::int64_t batches = std::max<std::int64_t>(batch, 1);
  const std::int64_t row = v.strides[v.rank - 2], column = v.strides[v.rank - 1];
  const std::int64_t batch_stride = batch > 0 ? v.strides[0] : 0;
  std::int64_t last = 0;
  if (rows * columns > 0)
    last = (batches - 1) * batch_stride + (rows - 1) * std::abs(row) + (columns - 1) * column + 1;
  x.bytes.assign(static_cast<std::size_t>(last) * size_of(dtype), '\xFF');  // NaN between elements
  x.view.data = x.bytes.data();
  if (row < 0 && rows > 0) x.view.data = x.bytes.data() + (rows - 1) * -row * size_of(dtype);
  const RandomStream random(7, name);
  std::uint64_t i = 0;
  for (std::int64_t b = 0; b < batches; ++b)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        put(v, b * batch_stride + r * row + c * column, value(random, i++));
  return x;
}

using Kernel = void (*)(const MatmulArgs&) noexcept;
using Workspace = std::int64_t (*)(const MatmulArgs&) noexcept;

/// The elements of c after the product, c's padding included.
inline std::vector<char> product(MatmulArgs args, const Matrix& c, Kernel kernel,
                                 Workspace workspace) {
  Matrix out = c;
  args.c = c.view;
  args.c.data = out.bytes.data();
  const std::int64_t bytes = workspace == nullptr ? 0 : workspace(args);
  void* memory = bytes == 0 ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  args.workspace = memory;
  args.workspace_bytes = bytes;
  kernel(args);
  std::free(memory);
  return out.bytes;
}

inline float at(const std::vector<char>& bytes, std::size_t i, DType dtype) {
  if (dtype == DType::bf16) return to_f32(reinterpret_cast<const bf16_t*>(bytes.data())[i]);
  return reinterpret_cast<const float*>(bytes.data())[i];
}

/// Index of the first element whose bits differ (any NaN equals any NaN), or -1.
inline std::ptrdiff_t first_difference(const std::vector<char>& x, const std::vector<char>& y,
                                       DType dtype) {
  const std::size_t size = size_of(dtype);
  for (std::size_t i = 0; i < x.size() / size; ++i) {
    if (std::memcmp(&x[i * size], &y[i * size], size) == 0) continue;
    if (std::isnan(at(x, i, dtype)) && std::isnan(at(y, i, dtype))) continue;
    return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

struct Case {
  Sizes sizes;
  Layout a = Layout::rows, b = Layout::columns;
  DType in = DType::f32, out = DType::f32;
  bool accumulate = false, bias = false, panels = false;

  std::string text() const {
    return fmt::format(
        "batch {} m {} n {} k {} layouts {} {} {}->{} accumulate {} bias {} panels {}", sizes.batch,
        sizes.m, sizes.n, sizes.k, static_cast<int>(a), static_cast<int>(b), name(in), name(out),
        accumulate, bias, panels);
  }
};

/// Owns what a case's arguments point to.
struct Operands {
  explicit Operands(const Case& x)
      : a(make("a", x.a, x.in, x.sizes.batch, x.sizes.m, x.sizes.k)),
        b(make("b", x.b, x.in, x.sizes.batch, x.sizes.k, x.sizes.n)),
        c(make("c", Layout::rows, x.out, x.sizes.batch, x.sizes.m, x.sizes.n)),
        bias(make("bias", Layout::rows, x.in, 0, 1, x.sizes.n)) {
    args.a = a.view;
    args.b = b.view;
    args.c = c.view;
    args.accumulate = x.accumulate;
    if (x.bias) {
      args.bias = bias.view;
      args.bias.rank = 1;
      args.bias.dims[0] = x.sizes.n;
      args.bias.strides[0] = 1;
    }
    if (x.panels) {
      panels.resize(static_cast<std::size_t>(packed_bytes(b.view)));
      pack_b(b.view, panels.data());
      args.b_panels = panels.data();
      args.b.data = nullptr;
    }
  }
  Matrix a, b, c, bias;
  std::vector<char> panels;
  MatmulArgs args;
};

inline void expect_bits(const Case& x, Kernel truth, const std::vector<Isa>& levels,
                        const std::vector<int>& threads) {
  SCOPED_TRACE(x.text());
  const Operands s(x);
  MatmulArgs from_view = s.args;
  from_view.b = s.b.view;
  from_view.b_panels = nullptr;
  const std::vector<char> expected = product(from_view, s.c, truth, nullptr);
  if (x.panels) {
    ASSERT_EQ(first_difference(expected, product(s.args, s.c, truth, nullptr), x.out), -1);
  }
  const Isa before = isa();
  const int threads_before = thread_count();
  for (const Isa level : levels) {
    if (!set_isa(level)) continue;
    for (const int n : threads) {
      set_thread_count(n);
      const auto got = product(s.args, s.c, matmul, matmul_workspace);
      const std::ptrdiff_t i = first_difference(expected, got, x.out);
      EXPECT_EQ(i, -1) << name(level) << ", " << n << " threads: expected "
                       << at(expected, std::max<std::ptrdiff_t>(i, 0), x.out) << ", got "
                       << at(got, std::max<std::ptrdiff_t>(i, 0), x.out);
    }
  }
  set_thread_count(threads_before);
  set_isa(before);
}

constexpr Sizes kSizes[] = {{0, 1, 1, 1},    {0, 1, 49, 33},  {0, 2, 16, 8},    {0, 5, 17, 7},
                            {0, 6, 32, 16},  {0, 7, 31, 65},  {0, 8, 48, 64},   {0, 13, 50, 19},
                            {0, 14, 95, 40}, {0, 16, 33, 70}, {0, 33, 100, 47}, {0, 50, 130, 31},
                            {2, 1, 40, 12}};

}  // namespace lathe::kernels::testing_matmul
