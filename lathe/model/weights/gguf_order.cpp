#include "lathe/model/weights/gguf_order.h"

#include <algorithm>
#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/model/weights/row_codec.h"

namespace lathe::weights {

Tensor reorder_rows(const Tensor& tensor, GgufChange change, std::int64_t groups,
                    GgufDirection direction) {
  const std::int64_t rows = tensor.dim(0);
  if (rows % (groups * (change == GgufChange::by_part ? 3 : 2)) != 0)
    fail(ErrorCode::kCorrupt, "{} rows do not divide among {} heads", rows, groups);
  const Tensor out = Tensor::empty(tensor.shape(), tensor.dtype());
  const std::size_t bytes = tensor.bytes() / static_cast<std::size_t>(rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t there = hf_row(change, rows, groups, r);
    const std::int64_t from = direction == GgufDirection::to_hf ? r : there;
    const std::int64_t to = direction == GgufDirection::to_hf ? there : r;
    std::memcpy(out.bytes_begin() + static_cast<std::size_t>(to) * bytes,
                tensor.bytes_begin() + static_cast<std::size_t>(from) * bytes, bytes);
  }
  return out;
}

const GgufTensorType& type_of(const StoredTensor& t) {
  return t.quant ? tensor_type(*t.quant) : tensor_type(t.tensor.dtype());
}

const GgufTensorType& type_of(const StoredFacts& facts) {
  if (facts.quant) return tensor_type(*facts.quant);
  if (!facts.dtype) fail(ErrorCode::kUnsupported, "type {} is not computed with", facts.type);
  return tensor_type(*facts.dtype);
}

std::vector<float> decoded(const StoredTensor& t) {
  const std::int64_t n = t.shape.at(-1);
  std::vector<float> values(static_cast<std::size_t>(t.shape.count()));
  decode_rows(type_of(t), t.tensor.bytes_begin(), values.data(), t.shape.count() / n, n);
  return values;
}

Tensor transposed(const StoredTensor& matrix) {
  constexpr std::int64_t kTile = 64;  // rows and columns that stay in the first cache
  const std::vector<float> values = decoded(matrix);
  const std::int64_t rows = matrix.shape[0], columns = matrix.shape[1];
  const Tensor out = Tensor::empty({columns, rows}, DType::f32);
  auto* to = out.data<float>();
  parallel_for(columns, kTile, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = 0; tile < rows; tile += kTile)
      for (std::int64_t c = begin; c < end; ++c)
        for (std::int64_t r = tile; r < std::min(rows, tile + kTile); ++r)
          to[c * rows + r] = values[static_cast<std::size_t>(r * columns + c)];
  });
  return out;
}

StoredTensor into_gguf_order(const StoredTensor& t, GgufChange change, std::int64_t groups) {
  switch (change) {
    case GgufChange::none:
      return t;
    case GgufChange::transpose: {
      const Tensor out = transposed(t);
      return {out, out.shape(), {}};
    }
    case GgufChange::plus_one: {
      std::vector<float> values = decoded(t);
      for (float& value : values) value += 1.0f;
      return {Tensor::from(values, t.shape), t.shape, {}};
    }
    default:
      return {reorder_rows(t.tensor, change, groups, GgufDirection::to_gguf), t.shape, t.quant};
  }
}

}  // namespace lathe::weights
