// What a benchmark makes for itself: a folder that goes with it, a text, a tokenizer, a model.
#pragma once

#include <memory>
#include <string>

#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::bench {

/// A folder of its own among the system's temporary files, removed with all in it.
class Scratch {
 public:
  /// Throws Io.
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(const std::string& name) const;

 private:
  std::string folder_;
};

/// At least so many bytes of sentences in an invented language: four thousand words that come as
/// often as words do (Zipf), always the same.
std::string generated_text(std::size_t bytes);

/// A byte-level BPE of at most so many ids, made from generated_text().
std::unique_ptr<tokenize::Tokenizer> generated_tokenizer(std::int64_t vocabulary);

/// Writes a Llama of 57 million random weights with a tokenizer, in Q8_0: larger than most caches,
/// made in seconds. Returns the path of the GGUF file.
std::string write_random_model(const Scratch& scratch);

}  // namespace lathe::bench
