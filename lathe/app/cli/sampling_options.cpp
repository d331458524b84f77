#include "lathe/app/cli/sampling_options.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <charconv>
#include <limits>
#include <random>

#include "lathe/base/error.h"
#include "lathe/life/recipes/dry_breakers.h"

namespace lathe::cli {
namespace {

constexpr const char* kGroup = "How tokens are drawn";

/// "ID=BIAS", where BIAS is a number or "never".
generate::LogitBias parse_bias(const std::string& text) {
  generate::LogitBias bias{};
  const char* end = text.data() + text.size();
  const auto id = std::from_chars(text.data(), end, bias.id);
  const bool has_value = id.ec == std::errc() && id.ptr != end && *id.ptr == '=' && bias.id >= 0;
  const std::string value = has_value ? std::string(id.ptr + 1, end) : "";
  if (value == "never" || value == "-inf" || value == "false") {
    bias.amount = -std::numeric_limits<double>::infinity();
    return bias;
  }
  const auto number = std::from_chars(value.data(), value.data() + value.size(), bias.amount);
  if (value.empty() || number.ec != std::errc() || number.ptr != value.data() + value.size() ||
      !(bias.amount < 1e30 && bias.amount > -1e30))
    fail(ErrorCode::kInvalidArgument,
         "--logit-bias: expected ID=NUMBER or ID=never, got '{}'; 'lathe tokenizer encode' tells "
         "the ids of a text",
         text);
  return bias;
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::string name;
  for (const char c : text + ",") {
    if (c != ',' && c != ';' && c != ' ') {
      name += c;
      continue;
    }
    if (!name.empty()) names.push_back(generate::sampler_name(name));
    name.clear();
  }
  return names;
}

template <typename T>
void add(CLI::App& verb, const char* flag, T& value, double low, double high, const char* help) {
  verb.add_option(flag, value, help)
      ->check(CLI::Range(low, high))
      ->capture_default_str()
      ->group(kGroup);
}

void add_cuts(CLI::App& verb, generate::SamplerOptions& s) {
  add(verb, "--temp", s.temperature, 0, 100, "temperature; 0: always the likeliest token");
  add(verb, "--top-k", s.top_k, 0, 1 << 30, "draw among so many likeliest tokens; 0: all");
  add(verb, "--top-p", s.top_p, 0, 1, "draw among the fewest tokens of this probability; 1: all");
  add(verb, "--min-p", s.min_p, 0, 1, "drop tokens under this part of the best's probability");
  add(verb, "--typical", s.typ_p, 0, 1, "locally typical tokens of this probability; 1: all");
  add(verb, "--top-n-sigma", s.top_n_sigma, -1, 1e6,
      "drop logits so many deviations under the highest; -1: none");
  add(verb, "--xtc-probability", s.xtc_probability, 0, 1,
      "how often the likeliest choices are excluded");
  add(verb, "--xtc-threshold", s.xtc_threshold, 0, 1, "from which probability on they are");
  add(verb, "--dynatemp-range", s.dynatemp_range, 0, 100,
      "temperature varies so much with the entropy");
  add(verb, "--dynatemp-exp", s.dynatemp_exponent, 0, 100, "how the entropy acts on it");
  add(verb, "--min-keep", s.min_keep, 0, 1 << 30, "tokens that every sampler leaves");
}

void add_penalties(CLI::App& verb, SamplingOptions& o) {
  generate::SamplerOptions& s = o.sampler;
  add(verb, "--repeat-penalty", s.repeat_penalty, 1e-3, 1e3,
      "logits of repeated tokens are divided by it");
  add(verb, "--repeat-last-n", s.repeat_last_n, -1, 1e9,
      "tokens that penalties look back, the prompt's included; -1: all");
  add(verb, "--presence-penalty", s.presence_penalty, -1e3, 1e3, "taken off repeated tokens once");
  add(verb, "--frequency-penalty", s.frequency_penalty, -1e3, 1e3,
      "taken off repeated tokens each time");
  add(verb, "--dry-multiplier", s.dry_multiplier, 0, 1e3, "penalty on long repetitions; 0: none");
  add(verb, "--dry-base", s.dry_base, 0, 1e3, "its growth with the length");
  add(verb, "--dry-allowed-length", s.dry_allowed_length, 0, 1e9, "tokens that may repeat");
  add(verb, "--dry-penalty-last-n", s.dry_penalty_last_n, -1, 1e9,
      "tokens that it looks back; -1: all");
  verb.add_option("--dry-sequence-breaker", o.dry_breakers,
                  "text that ends a repetition (repeatable; default: line break, : \" *)")
      ->allow_extra_args(false)
      ->group(kGroup);
}

}  // namespace

std::uint64_t fresh_seed() {
  std::random_device device;
  return device();
}

void SamplingOptions::add_to(CLI::App& verb) {
  verb.add_option_function<std::string>(
          "--seed",
          [this](const std::string& text) {
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), sampler.seed);
            random_seed = text == "-1";
            if (!random_seed && (error != std::errc() || end != text.data() + text.size()))
              throw CLI::ValidationError("--seed", "expected an integer, got '" + text + "'");
          },
          "of the draws: equal seeds give equal texts; -1: another one each time")
      ->default_str(random_seed ? "-1" : fmt::format("{}", sampler.seed))
      ->group(kGroup);
  add_cuts(verb, sampler);
  add_penalties(verb, *this);
  generate::SamplerOptions& s = sampler;
  add(verb, "--mirostat", s.mirostat, 0, 2, "version; keeps the surprise level; 0: off");
  add(verb, "--mirostat-ent", s.mirostat_tau, 0, 100, "surprise that it aims at, in bits");
  add(verb, "--mirostat-lr", s.mirostat_eta, 0, 10, "its learning rate");
  add(verb, "--adaptive-target", s.adaptive_target, -1, 1, "probability that adaptive_p aims at");
  add(verb, "--adaptive-decay", s.adaptive_decay, 0, 0.99, "its memory");
  verb.add_option_function<std::string>(
          "--samplers", [&s](const std::string& text) { s.samplers = split_names(text); },
          fmt::format("which run, in this order, of {}",
                      fmt::join(generate::sampler_names(), ", ")))
      ->default_str(fmt::format("{}", fmt::join(s.samplers, ",")))
      ->group(kGroup);
  verb.add_option_function<std::vector<std::string>>(
          "--logit-bias",
          [&s](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) s.bias.push_back(parse_bias(text));
          },
          "ID=BIAS is added to the logit of a token; ID=never (repeatable)")
      ->allow_extra_args(false)
      ->group(kGroup);
}

generate::SamplerOptions SamplingOptions::for_tokenizer(
    const tokenize::Tokenizer* tokenizer) const {
  generate::SamplerOptions options = sampler;
  generate::chain_of(options);  // says what is wrong before a model is read
  if (random_seed) options.seed = fresh_seed();
  if (options.dry_multiplier != 0 && tokenizer != nullptr)
    options.dry_breakers = recipes::dry_breaker_tokens(
        *tokenizer, dry_breakers.empty() ? recipes::default_dry_breakers() : dry_breakers);
  return options;
}

}  // namespace lathe::cli
