// The options that say how tokens are drawn, for every verb that draws.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "lathe/life/generate/sampler_options.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::cli {

struct SamplingOptions {
  generate::SamplerOptions sampler;
  std::vector<std::string> dry_breakers;  // empty: the default ones
  bool random_seed = false;

  /// Adds the options under llama.cpp's names.
  void add_to(CLI::App& verb);

  /// Options for one text: words as tokens, a seed where none is given. Throws InvalidArgument.
  generate::SamplerOptions for_tokenizer(const tokenize::Tokenizer* tokenizer) const;
};

/// A seed that nobody can guess.
std::uint64_t fresh_seed();

}  // namespace lathe::cli
