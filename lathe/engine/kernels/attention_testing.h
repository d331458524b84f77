// What the tests of attention share: a problem, its buffers (q, k and v are slices of one fused
// projection) and a run of it on any instruction set and number of threads.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/engine/kernels/attention.h"
#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {

/// Restores the instruction set and the thread count.
class RestoreSettings {
 public:
  RestoreSettings() : isa_(isa()), threads_(thread_count()) {}
  ~RestoreSettings() {
    set_isa(isa_);
    set_thread_count(threads_);
  }
  RestoreSettings(const RestoreSettings&) = delete;
  RestoreSettings& operator=(const RestoreSettings&) = delete;

 private:
  Isa isa_;
  int threads_;
};

struct Problem {
  std::int64_t batch = 1, queries = 1, keys = 1, heads = 1, kv_heads = 1, size = 16;
  DType dtype = DType::f32;
  std::vector<std::int32_t> starts;   // [batch * queries] or empty
  std::vector<std::int32_t> offsets;  // [batch] or empty
  float soft_cap = 0;
  std::int64_t window = 0, offset = 0;
  bool causal = true;
  bool wide = false;       // f32 results of bf16 inputs: rounding would hide a changed order
  std::uint64_t seed = 1;  // of q, k, v and dout; 0: zeros

  std::string text() const {
    return fmt::format("B{} Tq{} Tk{} H{} K{} D{} {} cap{} window{} offset{} causal{} starts{}",
                       batch, queries, keys, heads, kv_heads, size, name(dtype), soft_cap, window,
                       offset, causal, starts.size());
  }
};

/// Starts of documents of the given lengths, repeated until every row of T queries is full.
inline std::vector<std::int32_t> packed(std::int64_t batch, std::int64_t queries,
                                        const std::vector<std::int64_t>& lengths) {
  std::vector<std::int32_t> starts;
  std::size_t next = 0;
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t i = 0, start = 0, left = 0; i < queries; ++i, --left) {
      if (left == 0) start = i, left = lengths[next++ % lengths.size()];
      starts.push_back(static_cast<std::int32_t>(start));
    }
  return starts;
}

inline View slice(const View& v, int dim, std::int64_t begin, std::int64_t count) {
  View part = v;
  part.data = static_cast<char*>(v.data) +
              static_cast<std::size_t>(begin * v.strides[dim]) * size_of(v.dtype);
  part.dims[dim] = count;
  return part;
}

/// The tensors of a problem. Copies are deep.
class AttentionData {
 public:
  explicit AttentionData(const Problem& p)
      : problem(p),
        fused(draw({p.batch, std::max(p.queries, p.keys), p.heads + 2 * p.kv_heads, p.size}, 0)),
        dout(draw({p.batch, p.queries, p.heads, p.size}, 1000)),
        out(p.wide ? DType::f32 : p.dtype, {p.batch, p.queries, p.heads, p.size}),
        lse(p.dtype == DType::f64 ? DType::f64 : DType::f32, {p.batch, p.heads, p.queries}),
        gradient(p.wide ? DType::f32 : p.dtype,
                 {p.batch, std::max(p.queries, p.keys), p.heads + 2 * p.kv_heads, p.size}) {}

  View q(const Array& a) const { return part(a, problem.queries, 0, problem.heads); }
  View k(const Array& a) const { return part(a, problem.keys, problem.heads, problem.kv_heads); }
  View v(const Array& a) const {
    return part(a, problem.keys, problem.heads + problem.kv_heads, problem.kv_heads);
  }

  AttentionBackwardArgs args() {
    AttentionBackwardArgs a;
    a.q = q(fused), a.k = k(fused), a.v = v(fused);
    a.out = out.view(), a.lse = lse.view(), a.dout = dout.view();
    a.dq = q(gradient), a.dk = k(gradient), a.dv = v(gradient);
    a.scale = 1.0f / std::sqrt(static_cast<float>(problem.size));
    a.soft_cap = problem.soft_cap, a.window = problem.window;
    a.query_offset = problem.offset, a.causal = problem.causal;
    if (!problem.starts.empty())
      a.document_start = {.data = problem.starts.data(),
                          .dims = {problem.batch, problem.queries},
                          .strides = {problem.queries, 1},
                          .rank = 2,
                          .dtype = DType::i32};
    if (!problem.offsets.empty())
      a.query_offsets = {.data = problem.offsets.data(),
                         .dims = {problem.batch},
                         .strides = {1},
                         .rank = 1,
                         .dtype = DType::i32};
    return a;
  }

  /// Runs with a workspace of exactly the bytes asked for, filled with NaN and guarded.
  AttentionData& forward() {
    AttentionBackwardArgs a = args();
    run(a, attention_workspace(a), [](const AttentionBackwardArgs& x) { attention(x); });
    return *this;
  }
  AttentionData& backward() {
    AttentionBackwardArgs a = args();
    run(a, attention_backward_workspace(a),
        [](const AttentionBackwardArgs& x) { attention_backward(x); });
    return *this;
  }

  Problem problem;
  Array fused, dout;         // inputs
  Array out, lse, gradient;  // results; gradient is laid out like fused

 private:
  static View part(const Array& a, std::int64_t length, std::int64_t head, std::int64_t heads) {
    return slice(slice(a.view(), 1, 0, length), 2, head, heads);
  }

  Array draw(std::vector<std::int64_t> dims, std::uint64_t more) const {
    if (problem.seed == 0) return Array(problem.dtype, std::move(dims));
    return Array::random(problem.dtype, std::move(dims), problem.seed + more);
  }

  template <typename Kernel>
  void run(AttentionBackwardArgs& a, std::int64_t bytes, Kernel kernel) {
    std::vector<unsigned char> workspace(static_cast<std::size_t>(bytes) + 64, 0xFF);
    std::fill(workspace.end() - 64, workspace.end(), 0xA5);
    a.workspace = workspace.data(), a.workspace_bytes = bytes;
    kernel(a);
    for (std::size_t i = workspace.size() - 64; i < workspace.size(); ++i)
      ASSERT_EQ(workspace[i], 0xA5) << "wrote behind the workspace: " << problem.text();
    ASSERT_TRUE(out.guard_is_intact() && lse.guard_is_intact() && gradient.guard_is_intact());
  }
};

inline void expect_same(const Array& a, const Array& b, const std::string& what) {
  const std::int64_t i = a.first_difference(b);
  EXPECT_EQ(i, -1) << what << ": at " << i << " " << (i < 0 ? 0 : a.at(i)) << " against "
                   << (i < 0 ? 0 : b.at(i));
}

/// A row [t, head] of a [B,T,heads,D] view as f64.
inline std::vector<double> row(const View& v, std::int64_t b, std::int64_t t, std::int64_t h) {
  std::vector<double> x;
  const std::int64_t from = b * v.strides[0] + t * v.strides[1] + h * v.strides[2];
  for (std::int64_t d = 0; d < v.dims[3]; ++d) {
    if (v.dtype == DType::f64) x.push_back(v.as<double>()[from + d]);
    if (v.dtype == DType::f32) x.push_back(v.as<float>()[from + d]);
    if (v.dtype == DType::bf16) x.push_back(to_f32(v.as<bf16_t>()[from + d]));
  }
  return x;
}

}  // namespace lathe::kernels::testing
