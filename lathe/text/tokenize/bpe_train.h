// Trains a byte-level BPE: the merges that Hugging Face's BpeTrainer finds on the same text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/byte_level_bpe.h"

namespace lathe::tokenize {

/// How far training is; called from the calling thread, often.
struct TrainProgress {
  bool merging = false;    // first the text is counted, then pairs are merged
  std::int64_t bytes = 0;  // of text counted
  std::int64_t words = 0;  // distinct words (known when merging)
  std::int64_t vocab = 0;  // tokens so far
  std::int64_t goal = 0;   // vocab_size
};

struct BpeTrainOptions {
  std::int64_t vocab_size = 32000;  // special tokens and the 256 bytes included
  std::string pattern = "gpt2";     // gpt2 | gpt4 | o200k | a regular expression
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  // ids 0, 1, ...
  std::int64_t min_frequency = 0;  // a pair seen less often is not merged
  std::function<void(const TrainProgress&)> progress;
};

/// Calls `use` for each piece of text, in any order; a piece may be a line or a whole book. No
/// token reaches across two pieces. The text lives until `use` returns.
using TextSource = std::function<void(const std::function<void(std::string_view)>& use)>;

/// Ids are the special tokens, the 256 bytes in order of their characters in the byte alphabet,
/// then one token a merge; the most frequent pair is merged first, among equals the one of smaller
/// ids. The same text in any order, cut or thread count gives the same tokenizer. Memory grows with
/// the distinct words, not with the text. A text that has too few pairs gives a smaller vocabulary.
/// Throws kInvalidArgument for a vocabulary that cannot hold bytes and special tokens, a special
/// token that is empty or stands twice, a bad pattern.
std::unique_ptr<ByteLevelBpe> train_bpe(const BpeTrainOptions& options, const TextSource& source);

}  // namespace lathe::tokenize
