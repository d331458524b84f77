// The opponent of matmul_bench: oneDNN's matmul primitive on plain layouts, as PyTorch calls it.
#pragma once

#include <memory>

#include "lathe/engine/kernels/matmul.h"

namespace lathe::bench {

class OnednnMatmul {
 public:
  virtual ~OnednnMatmul() = default;
  virtual void run() = 0;
};

/// False where the benchmark was built without oneDNN.
bool has_onednn();

/// To be called first: `threads` for all products, and no instructions above `level`.
void set_up_onednn(kernels::Isa level, int threads);
void set_onednn_threads(int threads);

/// The product of args (rank 2) prepared once; null where oneDNN refuses it or is absent.
std::unique_ptr<OnednnMatmul> onednn_matmul(const kernels::MatmulArgs& args);

}  // namespace lathe::bench
