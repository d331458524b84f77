// What a benchmark makes for itself: a text, a tokenizer, a model.
#pragma once

#include <memory>
#include <string>

#include "lathe/base/temporary_folder.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::bench {

/// At least so many bytes of sentences in an invented language: four thousand words that come as
/// often as words do (Zipf), always the same.
std::string generated_text(std::size_t bytes);

/// A byte-level BPE of at most so many ids, made from generated_text().
std::unique_ptr<tokenize::Tokenizer> generated_tokenizer(std::int64_t vocabulary);

/// Writes a Llama of 57 million random weights with a tokenizer, in Q8_0: larger than most caches,
/// made in seconds. Returns the path of the GGUF file.
std::string write_random_model(const TemporaryFolder& scratch);

}  // namespace lathe::bench
