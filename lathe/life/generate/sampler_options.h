// What a chain of samplers does: the names, order and defaults of llama.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/base/fields.h"
#include "lathe/life/generate/candidates.h"

namespace lathe::generate {

/// What is 0, 1 or -1 below may switch a sampler off; the help texts say which. Names and defaults
/// are llama.cpp's.
struct SamplerOptions {
  double temperature = 0.8;
  std::int64_t top_k = 40;
  double top_p = 0.95;
  double min_p = 0.05;
  double typ_p = 1;
  double top_n_sigma = -1;
  double xtc_probability = 0, xtc_threshold = 0.1;
  double dynatemp_range = 0, dynatemp_exponent = 1;
  std::int64_t repeat_last_n = 64;
  double repeat_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  double dry_multiplier = 0, dry_base = 1.75;
  std::int64_t dry_allowed_length = 2, dry_penalty_last_n = -1;
  std::int64_t mirostat = 0;
  double mirostat_tau = 5, mirostat_eta = 0.1;
  double adaptive_target = -1, adaptive_decay = 0.9;
  std::int64_t min_keep = 0;
  std::vector<std::string> samplers = default_samplers();
  std::uint64_t seed = 1;

  std::vector<LogitBias> bias;
  /// Token sequences over which DRY does not look; from words by recipes/dry_breakers.h.
  std::vector<std::vector<std::int32_t>> dry_breakers;

  /// All but seed, bias and breakers, which are no plain values.
  void fields(Fields& f);
  static std::vector<std::string> default_samplers();
};

/// Every name that SamplerOptions::samplers may hold.
std::vector<std::string> sampler_names();

/// The name that is meant by another spelling ("top-k", "topk", "temp", "nucleus", "typ"); what is
/// not known as it stands.
std::string sampler_name(const std::string& written);

enum class SamplerKind {
#define LATHE_SAMPLER(name) name,
#include "lathe/life/generate/sampler_list.inc"
#undef LATHE_SAMPLER
};

/// The samplers that do something with these options, in their order; with mirostat only the
/// temperature. Throws InvalidArgument for a name that does not exist and numbers out of range.
std::vector<SamplerKind> chain_of(const SamplerOptions& options);

}  // namespace lathe::generate
