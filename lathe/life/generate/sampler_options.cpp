#include "lathe/life/generate/sampler_options.h"

#include <cmath>
#include <map>

#include "lathe/base/error.h"
#include "lathe/base/nearest.h"

namespace lathe::generate {
namespace {

const std::map<std::string, SamplerKind>& kinds() {
  static const std::map<std::string, SamplerKind> map = {
#define LATHE_SAMPLER(name) {#name, SamplerKind::name},
#include "lathe/life/generate/sampler_list.inc"
#undef LATHE_SAMPLER
  };
  return map;
}

/// Whether a sampler changes anything.
bool acts(SamplerKind kind, const SamplerOptions& o) {
  switch (kind) {
    case SamplerKind::penalties:
      return o.repeat_last_n != 0 &&
             (o.repeat_penalty != 1 || o.frequency_penalty != 0 || o.presence_penalty != 0);
    case SamplerKind::dry:
      return o.dry_multiplier != 0 && o.dry_base >= 1 && o.dry_penalty_last_n != 0;
    case SamplerKind::top_n_sigma:
      return o.top_n_sigma > 0;
    case SamplerKind::top_k:
      return o.top_k > 0;
    case SamplerKind::typ_p:
      return o.typ_p < 1;
    case SamplerKind::top_p:
      return o.top_p < 1;
    case SamplerKind::min_p:
      return o.min_p > 0;
    case SamplerKind::xtc:
      return o.xtc_probability > 0 && o.xtc_threshold <= 0.5;
    case SamplerKind::temperature:
      return o.temperature != 1 || o.dynatemp_range > 0;
    case SamplerKind::adaptive_p:
      return true;
  }
  return true;
}

void check(const SamplerOptions& o) {
  const auto finite = [](const char* name, double value, bool sound) {
    if (!std::isfinite(value) || !sound)
      fail(ErrorCode::kInvalidArgument, "{}: {} is out of range", name, value);
  };
  finite("temperature", o.temperature, true);
  finite("top_p", o.top_p, o.top_p >= 0);
  finite("min_p", o.min_p, true);
  finite("typ_p", o.typ_p, o.typ_p >= 0);
  finite("repeat_penalty", o.repeat_penalty,
         o.repeat_penalty > 0 && std::isfinite(1 / o.repeat_penalty));
  finite("frequency_penalty", o.frequency_penalty, true);
  finite("presence_penalty", o.presence_penalty, true);
  finite("dry_multiplier", o.dry_multiplier, true);
  finite("dry_base", o.dry_base, true);
  finite("dynatemp_range", o.dynatemp_range, o.dynatemp_range >= 0);
  finite("mirostat", static_cast<double>(o.mirostat), o.mirostat >= 0 && o.mirostat <= 2);
  finite("adaptive_decay", o.adaptive_decay, o.adaptive_decay >= 0 && o.adaptive_decay < 1);
}

}  // namespace

std::vector<SamplerKind> chain_of(const SamplerOptions& o) {
  check(o);
  std::vector<SamplerKind> chain;
  for (const std::string& written : o.samplers) {
    const auto at = kinds().find(sampler_name(written));
    if (at == kinds().end())
      fail(ErrorCode::kInvalidArgument, "samplers: there is no '{}'{}", written,
           did_you_mean(written, sampler_names()));
    if (o.mirostat == 0 && acts(at->second, o)) chain.push_back(at->second);
  }
  if (o.mirostat != 0 && acts(SamplerKind::temperature, o))
    chain.push_back(SamplerKind::temperature);
  return chain;
}

std::vector<std::string> SamplerOptions::default_samplers() {
  std::vector<std::string> names = sampler_names();
  std::erase(names, "adaptive_p");  // it replaces the draw, so it is for those who ask
  return names;
}

std::vector<std::string> sampler_names() {
  return {
#define LATHE_SAMPLER(name) #name,
#include "lathe/life/generate/sampler_list.inc"
#undef LATHE_SAMPLER
  };
}

std::string sampler_name(const std::string& written) {
  std::string plain;
  for (const char c : written)
    if (c != '-' && c != '_') plain += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (plain == "temp") return "temperature";
  if (plain == "nucleus") return "top_p";
  if (plain == "typ" || plain == "typical" || plain == "typicalp") return "typ_p";
  for (const std::string& name : sampler_names()) {
    std::string bare = name;
    std::erase(bare, '_');
    if (bare == plain) return name;
  }
  return written;
}

void SamplerOptions::fields(Fields& f) {
  f("temperature", temperature, "sharpens (< 1) or flattens (> 1); 0: always the likeliest token",
    in_range(0, 100));
  f("top_k", top_k, "draw among so many likeliest tokens; 0: all", in_range(0, 1 << 30));
  f("top_p", top_p, "draw among the fewest tokens of this probability; 1: all", in_range(0, 1));
  f("min_p", min_p, "drop tokens under this part of the likeliest's probability; 0: none",
    in_range(0, 1));
  f("typ_p", typ_p, "locally typical tokens of this probability; 1: all", in_range(0, 1));
  f("top_n_sigma", top_n_sigma, "drop logits so many deviations under the highest; -1: none",
    in_range(-1, 1e6));
  f("xtc_probability", xtc_probability, "how often the likeliest are excluded; 0: never",
    in_range(0, 1));
  f("xtc_threshold", xtc_threshold, "from which probability on XTC excludes; over 0.5: never",
    in_range(0, 1));
  f("dynatemp_range", dynatemp_range, "temperature varies so much with the entropy; 0: not",
    in_range(0, 100));
  f("dynatemp_exponent", dynatemp_exponent, "how the entropy acts on the temperature",
    in_range(0, 100));
  f("repeat_last_n", repeat_last_n, "tokens that penalties look back; 0: off, -1: all",
    in_range(-1, 1e9));
  f("repeat_penalty", repeat_penalty, "logits of repeated tokens are divided by it; 1: off",
    in_range(1e-3, 1e3));
  f("presence_penalty", presence_penalty, "taken off once for repeated tokens; 0: off",
    in_range(-1e3, 1e3));
  f("frequency_penalty", frequency_penalty, "taken off for each occurrence; 0: off",
    in_range(-1e3, 1e3));
  f("dry_multiplier", dry_multiplier, "strength of the penalty on long repetitions; 0: off",
    in_range(0, 1e3));
  f("dry_base", dry_base, "its growth with each token of the repetition", in_range(0, 1e3));
  f("dry_allowed_length", dry_allowed_length, "tokens that may repeat freely", in_range(0, 1e9));
  f("dry_penalty_last_n", dry_penalty_last_n, "tokens that DRY looks back; 0: off, -1: all",
    in_range(-1, 1e9));
  f("mirostat", mirostat, "1 or 2: keeps the surprise level instead of the samplers; 0: off",
    in_range(0, 2));
  f("mirostat_tau", mirostat_tau, "surprise that mirostat aims at, in bits", in_range(0, 100));
  f("mirostat_eta", mirostat_eta, "mirostat's learning rate", in_range(0, 10));
  f("adaptive_target", adaptive_target, "probability that adaptive_p aims at; -1: none",
    in_range(-1, 1));
  f("adaptive_decay", adaptive_decay, "memory of adaptive_p", in_range(0, 0.99));
  f("min_keep", min_keep, "tokens that every sampler leaves", in_range(0, 1 << 30));
  f("samplers", samplers, "which samplers run, in this order", one_of(sampler_names()));
}

}  // namespace lathe::generate
