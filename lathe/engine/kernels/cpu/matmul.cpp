// The product on f32 words: f32 operands, and bf16 operands widened. Also writes panels.
#include "lathe/engine/kernels/cpu/matmul_driver.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

/// Pairs for packing only.
struct PairWords {
  static constexpr bool kPairs = true;
};

template <typename Mode>
void pack_all(const View& b, void* panels) {
  const Matrix m = matrix_of(b);
  const std::int64_t words = Mode::kPairs ? ceil_div(m.rows, 2) : m.rows;
  constexpr std::int64_t kColumns = 64;  // of a task
  parallel_for(ceil_div(m.columns, kColumns), 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t n = begin * kColumns, columns = std::min(end * kColumns, m.columns) - n;
    const Operand x{m.at(0, 0, n), m.column, m.row, m.bf16, m.rows};
    pack_panels<Mode>(x, 0, words, columns, static_cast<Word*>(panels) + n * words);
  });
}

}  // namespace

void matmul(const MatmulArgs& args) noexcept {
  const Product<F32Words> product(args);
  if (args.workspace_bytes < product.workspace_bytes()) return reference::matmul(args);
  product.run();
}

std::int64_t matmul_workspace(const MatmulArgs& args) noexcept {
  return Product<F32Words>(args).workspace_bytes();
}

void pack_b(const View& b, void* panels) noexcept {
  if (b.dtype == DType::bf16) {
    pack_all<PairWords>(b, panels);
  } else {
    pack_all<F32Words>(b, panels);
  }
}

}  // namespace lathe::kernels::LATHE_ISA
