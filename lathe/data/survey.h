// How many tokens the data holds, before training on it (`lathe plan`).
#pragma once

#include <cstdint>

#include "lathe/data/batch_source.h"

namespace lathe::data {

/// One pass over the sources. Where `exact` is false the token counts are projected from a sample
/// by the number of records.
struct Survey {
  bool exact = true;
  std::int64_t documents = 0;
  std::int64_t parts = 0;
  std::int64_t text_bytes = 0;
  std::int64_t tokens = 0;      // ids, bos and eos included
  std::int64_t supervised = 0;  // targets: all but the first id of each part
  std::int64_t dropped = 0;     // ids of parts with a single id
  std::int64_t padded = 0;      // places of the last row of sequential data; training has none
  std::int64_t skipped = 0;     // documents left out as faulty

  double bytes_per_token() const {
    return tokens > 0 ? static_cast<double>(text_bytes) / static_cast<double>(tokens) : 0;
  }
};

/// Tokenises documents in training order, up to `sample_tokens` ids a source, or everything where
/// that is enough. The source stays at its place. Throws as BatchSource::next.
Survey survey(BatchSource& source, std::int64_t sample_tokens);

}  // namespace lathe::data
