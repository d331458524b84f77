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
  parallel_for(ceil_div(m.columns, kLanes), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t n = p * kLanes;
      const Operand x{m.at(0, 0, n), m.column, m.row, m.bf16, m.rows};
      const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, m.columns - n));
      pack_panel<Mode>(x, 0, words, lanes, static_cast<Word*>(panels) + p * words * kLanes);
    }
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
