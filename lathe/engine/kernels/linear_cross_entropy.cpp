#include "lathe/engine/kernels/linear_cross_entropy.h"

#include <algorithm>

#include "lathe/engine/kernels/cross_entropy.h"
#include "lathe/engine/kernels/matmul.h"

namespace lathe::kernels {
namespace {

/// Rows of a chunk: enough that reading the [V,C] weights three times hides behind the products,
/// few enough that the logits stay small. Even, so that pairs of bf16 tokens do not straddle.
constexpr std::int64_t kChunk = 256;

std::int64_t align(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

View matrix(void* data, DType dtype, std::int64_t rows, std::int64_t columns) {
  View v;
  v.data = data;
  v.dtype = dtype;
  v.rank = 2;
  v.dims[0] = rows;
  v.dims[1] = columns;
  v.strides[0] = columns;
  v.strides[1] = 1;
  return v;
}

View rows_of(View v, std::int64_t begin, std::int64_t rows) {
  if (v.empty()) return v;
  if (v.data != nullptr)
    v.data = static_cast<char*>(v.data) +
             begin * v.strides[0] * static_cast<std::int64_t>(size_of(v.dtype));
  v.dims[0] = rows;
  return v;
}

View transposed(View v) {
  std::swap(v.dims[0], v.dims[1]);
  std::swap(v.strides[0], v.strides[1]);
  return v;
}

struct Chunk {
  LinearCrossEntropyArgs args;  // rows of this chunk
  View logits, dlogits;

  MatmulArgs forward() const { return {.a = args.x, .b = transposed(args.weight), .c = logits}; }
  MatmulArgs input_gradient() const { return {.a = dlogits, .b = args.weight, .c = args.dx}; }
  MatmulArgs weight_gradient() const {
    return {.a = transposed(dlogits), .b = args.x, .c = args.weight_acc, .accumulate = true};
  }
};

bool wants_gradient(const LinearCrossEntropyArgs& args) {
  return !args.dx.empty() || !args.weight_acc.empty();
}

/// Views of rows [begin, begin + rows); sets where the products' workspace starts.
Chunk make_chunk(const LinearCrossEntropyArgs& args, std::int64_t begin, std::int64_t rows,
                 std::int64_t* used) {
  Chunk chunk{args, {}, {}};
  for (View* v : {&chunk.args.x, &chunk.args.targets, &chunk.args.token_weights, &chunk.args.nll,
                  &chunk.args.dx})
    *v = rows_of(*v, begin, rows);
  const std::int64_t vocab = args.weight.dims[0];
  const DType wide = args.x.dtype == DType::f64 ? DType::f64 : DType::f32;
  char* memory = static_cast<char*>(args.workspace);
  chunk.logits = matrix(memory, wide, rows, vocab);
  *used = align(rows * vocab * static_cast<std::int64_t>(size_of(wide)));
  // The gradient takes the place of the logits, in bf16 the first half of each row.
  chunk.dlogits = chunk.logits;
  if (args.x.dtype == DType::bf16) {
    chunk.dlogits.dtype = DType::bf16;
    chunk.dlogits.strides[0] = 2 * vocab;
  }
  return chunk;
}

void run_chunk(const LinearCrossEntropyArgs& args, std::int64_t begin, std::int64_t rows) {
  std::int64_t used = 0;
  Chunk chunk = make_chunk(args, begin, rows, &used);
  const auto product = [&](MatmulArgs m) {
    m.workspace = static_cast<char*>(args.workspace) + used;
    m.workspace_bytes = args.workspace_bytes - used;
    matmul(m);
  };
  product(chunk.forward());
  CrossEntropyArgs entropy{.logits = chunk.logits,
                           .targets = chunk.args.targets,
                           .weights = chunk.args.token_weights,
                           .nll = chunk.args.nll};
  entropy.z_loss = args.z_loss;
  entropy.soft_cap = args.soft_cap;
  if (wants_gradient(args)) entropy.dlogits = chunk.dlogits;
  cross_entropy(entropy);
  if (!args.dx.empty()) product(chunk.input_gradient());
  if (!args.weight_acc.empty()) product(chunk.weight_gradient());
}

}  // namespace

std::int64_t linear_cross_entropy_workspace(const LinearCrossEntropyArgs& args) noexcept {
  const std::int64_t rows = std::min(kChunk, args.x.dims[0]);
  std::int64_t used = 0;
  LinearCrossEntropyArgs shape = args;
  shape.workspace = nullptr;
  const Chunk chunk = make_chunk(shape, 0, rows, &used);
  std::int64_t products = matmul_workspace(chunk.forward());
  if (!args.dx.empty()) products = std::max(products, matmul_workspace(chunk.input_gradient()));
  if (!args.weight_acc.empty())
    products = std::max(products, matmul_workspace(chunk.weight_gradient()));
  return used + products;
}

void linear_cross_entropy(const LinearCrossEntropyArgs& args) noexcept {
  const std::int64_t n = args.x.dims[0];
  const bool odd = args.rows_per_sequence % 2 != 0;
  const std::int64_t sequence = odd ? args.rows_per_sequence : std::max<std::int64_t>(n, 1);
  for (std::int64_t first = 0; first < n; first += sequence) {
    const std::int64_t end = std::min(n, first + sequence);
    for (std::int64_t begin = first; begin < end; begin += kChunk)
      run_chunk(args, begin, std::min(kChunk, end - begin));
  }
}

}  // namespace lathe::kernels
