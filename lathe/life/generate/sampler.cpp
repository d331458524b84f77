#include "lathe/life/generate/sampler.h"

#include <algorithm>

#include "lathe/life/generate/choices.h"
#include "lathe/life/generate/cuts.h"
#include "lathe/life/generate/penalties.h"
#include "lathe/life/generate/temperature.h"

namespace lathe::generate {

Sampler::Sampler(SamplerOptions options)
    : options_(std::move(options)),
      chain_(chain_of(options_)),
      draws_(options_.seed, "sample"),
      xtc_(options_.seed, "xtc"),
      history_(options_.repeat_last_n),
      mu_(2 * options_.mirostat_tau),
      adaptive_weight_(1 / (1 - options_.adaptive_decay)) {
  // As if tokens of the target probability had gone before.
  adaptive_sum_ = options_.adaptive_target * adaptive_weight_;
}

void Sampler::accept(std::int32_t id) {
  history_.accept(id);
  if (id != pending_) return;
  pending_ = -1;
  if (options_.mirostat != 0) {
    mu_ = pending_value_;
  } else {
    adaptive_sum_ = pending_value_ + options_.adaptive_decay * adaptive_sum_;
    adaptive_weight_ = 1 + options_.adaptive_decay * adaptive_weight_;
  }
}

void Sampler::accept(std::span<const std::int32_t> ids) {
  for (const std::int32_t id : ids) accept(id);
}

void Sampler::apply(SamplerKind kind, Candidates& c, std::uint64_t index) const {
  const SamplerOptions& o = options_;
  switch (kind) {
    case SamplerKind::penalties:
      return penalise_repeats(c, history_,
                              {o.repeat_penalty, o.frequency_penalty, o.presence_penalty});
    case SamplerKind::dry:
      return penalise_continuations(
          c, history_.last(o.dry_penalty_last_n),
          {o.dry_multiplier, o.dry_base, o.dry_allowed_length, o.dry_breakers});
    case SamplerKind::top_n_sigma:
      return cut_top_n_sigma(c, o.top_n_sigma);
    case SamplerKind::top_k:
      return cut_top_k(c, o.top_k);
    case SamplerKind::typ_p:
      return cut_typical(c, o.typ_p, o.min_keep);
    case SamplerKind::top_p:
      return cut_top_p(c, o.top_p, o.min_keep);
    case SamplerKind::min_p:
      return cut_min_p(c, o.min_p, o.min_keep);
    case SamplerKind::xtc:
      if (xtc_.uniform(index) < o.xtc_probability) cut_xtc(c, o.xtc_threshold, o.min_keep);
      return;
    case SamplerKind::temperature:
      if (o.dynatemp_range > 0)
        return heat_by_entropy(c, o.temperature, o.dynatemp_range, o.dynatemp_exponent);
      return heat(c, o.temperature);
    case SamplerKind::adaptive_p:
      return;  // takes the place of the draw
  }
}

std::size_t Sampler::enough() const {
  if (!options_.bias.empty() || chain_.empty()) return 0;
  const bool greedy = options_.temperature <= 0 && options_.dynatemp_range <= 0;
  if (chain_.front() == SamplerKind::top_k) return static_cast<std::size_t>(options_.top_k);
  return chain_.front() == SamplerKind::temperature && greedy ? 1 : 0;
}

Candidates Sampler::candidates(std::span<const float> logits, std::uint64_t index) const {
  const std::size_t n = enough();
  constexpr std::size_t kFew = 1024;  // beyond, selecting from a list of all is quicker
  Candidates c =
      n > 0 && n <= kFew ? Candidates::likeliest_of(logits, n) : Candidates(logits, options_.bias);
  for (const SamplerKind kind : chain_) apply(kind, c, index);
  return c;
}

std::int32_t Sampler::pick(std::span<const float> logits, std::uint64_t index) {
  Candidates c = candidates(logits, index);
  const double u = draws_.uniform(index);
  const SamplerOptions& o = options_;
  pending_ = -1;
  if (o.mirostat != 0) {
    const Mirostat m{o.mirostat, o.mirostat_tau, o.mirostat_eta, mu_,
                     static_cast<std::int64_t>(logits.size())};
    const Choice choice = choose_mirostat(c, m, u);
    pending_ = choice.id;
    pending_value_ = choice.value;
    return choice.id;
  }
  const bool adaptive =
      std::find(chain_.begin(), chain_.end(), SamplerKind::adaptive_p) != chain_.end();
  if (adaptive && o.adaptive_target >= 0) {
    const Choice choice =
        choose_adaptive(c, o.adaptive_target, adaptive_sum_ / adaptive_weight_, u);
    pending_ = choice.id;
    pending_value_ = choice.value;
    return choice.id;
  }
  c.softmax();
  return c.items[draw(c, u)].id;
}

}  // namespace lathe::generate
