// Text -> ids, as the data pipeline needs it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::data {

/// Appends the ids of a text. A pure function; called from the thread that reads ahead.
using Encoder = std::function<void(std::string_view text, std::vector<std::int32_t>& ids)>;

/// A tokenizer as the pipeline sees it.
struct Encoding {
  Encoder encode;
  std::int64_t vocab_size = 0;
  std::string key;                        // equal keys <=> equal ids for every text
  std::optional<std::int32_t> eos;        // put after each document
  std::optional<std::int32_t> bos;        // put before each document; never a target
  std::vector<std::int32_t> bytes_of_id;  // UTF-8 bytes an id stands for, special ids 0; or empty
};

/// Names in documents of special tokens are ordinary text. `tokenizer` must outlive the result.
/// Throws kInvalidArgument where eos or bos is asked for and the tokenizer has none.
Encoding encoding_of(const tokenize::Tokenizer& tokenizer, bool eos, bool bos);

}  // namespace lathe::data
