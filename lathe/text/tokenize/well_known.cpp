// Regular expressions that are recognised by their text, and the splitters written for them.
#include "lathe/text/tokenize/splitter.h"

namespace lathe::tokenize {
namespace {

enum class Kind { kGpt2, kGpt4, kQwen2, kO200k, kTekken };

struct WellKnown {
  Kind kind;
  const char* name;
  const char* pattern;  // as published; the first of a kind is the one that is written
};

constexpr WellKnown kWellKnown[] = {
    {Kind::kGpt2, "gpt2",
     R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Kind::kGpt2, "", R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Kind::kGpt4, "gpt4",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Kind::kQwen2, "qwen2",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Kind::kO200k, "o200k",
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Kind::kTekken, "tekken",
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

const WellKnown* find(std::string_view pattern) {
  for (const WellKnown& known : kWellKnown)
    if (pattern == known.pattern) return &known;
  return nullptr;
}

}  // namespace

const char* well_known_pattern(std::string_view name) {
  for (const WellKnown& known : kWellKnown)
    if (!name.empty() && name == known.name) return known.pattern;
  return nullptr;
}

std::string canonical_pattern(std::string_view pattern) {
  if (const WellKnown* known = find(pattern))
    for (const WellKnown& first : kWellKnown)
      if (first.kind == known->kind) return first.pattern;
  return std::string(pattern);
}

std::unique_ptr<Splitter> make_pattern_splitter(std::string_view pattern, MatchUse use,
                                                bool invert) {
  // The well-known patterns match everywhere: nothing lies between matches, so each match is a
  // piece also where all but the matches is removed.
  const bool matches_are_pieces =
      use == MatchUse::kIsolated || (use == MatchUse::kRemoved && invert);
  const WellKnown* known = matches_are_pieces ? find(pattern) : nullptr;
  if (known == nullptr) return make_regex_splitter(pattern, use, invert);
  switch (known->kind) {
    case Kind::kGpt2:
      return make_gpt2_splitter();
    case Kind::kGpt4:
      return make_gpt4_splitter(3);
    case Kind::kQwen2:
      return make_gpt4_splitter(1);
    case Kind::kO200k:
      return make_o200k_splitter();
    case Kind::kTekken:
      return make_o200k_splitter({.digits = 1, .contractions = false});
  }
  return nullptr;
}

}  // namespace lathe::tokenize
