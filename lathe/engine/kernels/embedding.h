// Rows of a table by id, and the gradient of the table.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// out[n] = table[ids[n]]; an id outside [0, V) gives zeros (the shape rule refuses such ids where
/// they are a mistake).
/// Shapes: table [V,C], ids [N] (any rank, contiguous), out [N,C].
/// Dtypes: table and out f32 or bf16 each for itself, or both f64; ids i32.
struct EmbeddingArgs {
  View table, ids, out;
};
LATHE_KERNEL(embedding, EmbeddingArgs)

/// dtable_acc[ids[n]] += dy[n], n ascending, from the stored values on; ids outside are skipped.
/// Threads own columns. Shapes: dtable_acc [V,C], ids [N], dy [N,C].
/// Dtypes: dtable_acc f32, dy f32 or bf16, or both f64; ids i32.
struct EmbeddingAccArgs {
  View ids, dy, dtable_acc;
};
LATHE_KERNEL(embedding_acc, EmbeddingAccArgs)

}  // namespace lathe::kernels
