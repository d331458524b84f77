// What a model is trained on: rows of ids in plain arrays.
#pragma once

#include <cstdint>
#include <vector>

namespace lathe::data {

/// `rows` rows of `width` places, row after row. A row holds segments: stretches of one document
/// each. Attention must not look past the start of its segment.
struct Batch {
  std::int64_t rows = 0, width = 0;
  std::vector<std::int32_t> tokens;           // inputs
  std::vector<std::int32_t> targets;          // the id that follows in the document; -1: none
  std::vector<std::int32_t> positions;        // 0, 1, 2, ... from the start of the segment
  std::vector<std::int32_t> document_starts;  // place in the row where the segment starts
  std::vector<float> weights;                 // of the targets; 0 where there is none

  std::int64_t supervised = 0;  // places with a target
  std::int64_t padded = 0;      // places without input, at the very end of the data
  std::int64_t bytes = 0;       // UTF-8 bytes that the targets stand for; special tokens have none

  bool empty() const { return rows == 0; }
};

}  // namespace lathe::data
