// Writing GGUF, version 3: metadata and the list of tensors first, then the data of one tensor
// after the other as it is made.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/engine/tensor/shape.h"
#include "lathe/model/weights/gguf_metadata.h"

namespace lathe::weights {

/// A tensor to be written. `produce` hands its bytes on, in pieces of any size and in order; it is
/// called once, when its turn has come, so a writer never holds more than one piece.
struct GgufTensorSource {
  using Sink = std::function<void(std::string_view)>;

  std::string name;  // at most 63 bytes
  const GgufTensorType* type = nullptr;
  Shape shape;  // row-major
  std::function<void(const Sink& write)> produce;

  std::size_t bytes() const;
};

/// Writes everything; `subject` stands in messages where the path would. Alignment is that of
/// metadata's general.alignment, or 32. The caller syncs and closes. Throws Io; InvalidArgument for
/// names that come twice or are too long, rows that are not whole blocks, or a tensor that produced
/// another number of bytes.
void write_gguf(FileWriter& writer, const std::string& subject, const GgufMetadata& metadata,
                const std::vector<GgufTensorSource>& tensors);

}  // namespace lathe::weights
