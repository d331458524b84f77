#include "lathe/life/generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "lathe/base/error.h"

namespace lathe::generate {
namespace {

/// Everything off but what a test names.
SamplerOptions bare(std::vector<std::string> samplers = {}) {
  SamplerOptions o;
  o.temperature = 1;
  o.top_k = 0;
  o.top_p = 1;
  o.min_p = 0;
  if (!samplers.empty()) o.samplers = std::move(samplers);
  return o;
}

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(std::log(static_cast<float>(p)));
  return logits;
}

/// Probabilities by id after the chain; 0 for those that cannot be drawn.
std::vector<double> left(const SamplerOptions& o, const std::vector<double>& probabilities,
                         const std::vector<std::int32_t>& text = {}) {
  Sampler sampler(o);
  sampler.accept(text);
  Candidates c = sampler.candidates(logits_of(probabilities), 0);
  c.softmax();
  std::vector<double> p(probabilities.size(), 0);
  for (const Candidate& x : c.items) p[static_cast<std::size_t>(x.id)] = x.p;
  return p;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  double total = 0;
  for (const double p : expected) total += p;
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i] / total, 1e-5) << i;
}

std::map<std::int32_t, double> shares(const SamplerOptions& o, const std::vector<float>& logits) {
  Sampler sampler(o);
  std::map<std::int32_t, double> counts;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i)
    counts[sampler.pick(logits, static_cast<std::uint64_t>(i))] += 1.0 / kDraws;
  return counts;
}

const std::vector<double> kFour = {0.1, 0.2, 0.3, 0.4};
const std::vector<double> kFive = {0.2, 0.2, 0.2, 0.2, 0.2};

// The vectors of llama.cpp's tests/test-sampling.cpp.

TEST(SamplerVectors, Temperature) {
  SamplerOptions o = bare();
  expect_near(left(o, kFour), kFour);
  o.temperature = 0;
  expect_near(left(o, kFour), {0, 0, 0, 1});
  o.temperature = 1;
  o.dynatemp_range = 0;
  expect_near(left(o, kFour), kFour);
}

TEST(SamplerVectors, TopK) {
  SamplerOptions o = bare();
  o.top_k = 1;
  expect_near(left(o, kFour), {0, 0, 0, 1});
  o.top_k = 3;
  expect_near(left(o, kFour), {0, 0.22222, 0.33333, 0.44444});
  o.top_k = 4;
  expect_near(left(o, kFour), kFour);
  o.top_k = 0;
  expect_near(left(o, kFour), kFour);
}

TEST(SamplerVectors, TopP) {
  SamplerOptions o = bare();
  o.top_p = 0;
  expect_near(left(o, kFour), {0, 0, 0, 1});
  o.top_p = 0.7;
  expect_near(left(o, kFour), {0, 0, 0.428571, 0.571429});
  o.top_p = 0.8;
  expect_near(left(o, kFour), {0, 0.22222, 0.33333, 0.44444});
  o.top_p = 1;
  expect_near(left(o, kFour), kFour);
}

TEST(SamplerVectors, MinP) {
  const std::vector<std::pair<double, std::vector<double>>> cases = {{0.00, kFour},
                                                                     {0.24, kFour},
                                                                     {0.26, {0, 0.2, 0.3, 0.4}},
                                                                     {0.49, {0, 0.2, 0.3, 0.4}},
                                                                     {0.51, {0, 0, 0.3, 0.4}},
                                                                     {0.74, {0, 0, 0.3, 0.4}},
                                                                     {0.76, {0, 0, 0, 1}},
                                                                     {1.00, {0, 0, 0, 1}},
                                                                     {1.05, {0, 0, 0, 1}}};
  for (const auto& [p, expected] : cases) {
    SamplerOptions o = bare();
    o.min_p = p;
    expect_near(left(o, kFour), expected);
  }
}

TEST(SamplerVectors, Xtc) {
  const std::vector<double> falling = {0.4, 0.3, 0.2, 0.1};
  SamplerOptions o = bare();
  o.xtc_probability = 1;
  o.xtc_threshold = 0.09;
  expect_near(left(o, falling), {0, 0, 0, 0.1});
  o.xtc_threshold = 0.19;
  expect_near(left(o, falling), {0, 0, 0.2, 0.1});
  o.xtc_threshold = 0.29;
  expect_near(left(o, falling), {0, 0.3, 0.2, 0.1});
  o.xtc_threshold = 0.39;
  expect_near(left(o, falling), falling);
}

TEST(SamplerVectors, Typical) {
  SamplerOptions o = bare();
  o.typ_p = 0.5;
  expect_near(left(o, {0.97, 0.01, 0.01, 0.01}), {0.97, 0, 0, 0});
  expect_near(left(o, {0.4, 0.2, 0.2, 0.2}), {0, 0.2, 0.2, 0.2});
}

TEST(SamplerVectors, Penalties) {
  SamplerOptions o = bare();
  o.repeat_penalty = 50;
  expect_near(left(o, kFive, {0}), {0, 0.25, 0.25, 0.25, 0.25});
  expect_near(left(o, kFive, {0, 1, 2}), {0, 0, 0, 0.5, 0.5});
  expect_near(left(o, kFive, {0, 1, 2, 0, 0}), {0, 0, 0, 0.5, 0.5});
  o.repeat_penalty = 1;
  o.frequency_penalty = o.presence_penalty = 5;
  expect_near(left(o, kFive, {0}), {0.000011, 0.249997, 0.249997, 0.249997, 0.249997});
  expect_near(left(o, kFive, {0, 1, 2}), {0.000023, 0.000023, 0.000023, 0.499966, 0.499966});
  expect_near(left(o, kFive, {0, 1, 2, 0, 0}), {0, 0.000023, 0.000023, 0.499977, 0.499977});
}

SamplerOptions dry(double multiplier, std::int64_t allowed, std::int64_t last_n) {
  SamplerOptions o = bare();
  o.dry_multiplier = multiplier;
  o.dry_base = 1.1;
  o.dry_allowed_length = allowed;
  o.dry_penalty_last_n = last_n;
  return o;
}

TEST(SamplerVectors, Dry) {
  const std::vector<double> four(4, 0.25);
  expect_near(left(dry(1, 2, 4), four, {0, 1}), four);
  expect_near(left(dry(1, 2, 5), four, {0, 1, 2, 0, 1}), {0.296923, 0.296923, 0.109232, 0.296923});
  SamplerOptions broken = dry(1, 2, 6);
  broken.dry_breakers = {{3}};
  expect_near(left(broken, kFive, {0, 1, 3, 4, 0, 1}), kFive);
  expect_near(left(dry(2, 2, 5), kFive, {0, 1, 2, 0, 1}),
              {0.241818, 0.241818, 0.032727, 0.241818, 0.241818});
  expect_near(left(dry(1, 4, 7), kFive, {0, 1, 2, 3, 4, 0, 1}), kFive);
}

TEST(SamplerVectors, TopNSigma) {
  SamplerOptions o = bare();
  o.top_n_sigma = 1;
  expect_near(left(o, kFour), {0, 0, 0.428571, 0.571429});
  o.top_n_sigma = 0;
  expect_near(left(o, kFour), kFour);
  o.top_n_sigma = 3;
  expect_near(left(o, kFour), kFour);
}

/// Ids 0..9999 with probabilities in proportion to their id, cut by several samplers in turn.
struct Queue {
  std::string order;
  std::int64_t top_k;
  double top_p, min_p;
};

void expect_queue(const Queue& q) {
  constexpr std::int64_t n = 10000;
  SamplerOptions o = bare(std::vector<std::string>{});
  o.top_k = q.top_k;
  o.top_p = q.top_p;
  o.min_p = q.min_p;
  std::vector<float> logits;
  for (std::int64_t i = 0; i < n; ++i) logits.push_back(std::log(static_cast<float>(i)));
  // What integers say: after each cut the candidates are those from `low` on.
  std::int64_t low = 1;  // id 0 has no probability at all
  o.samplers.clear();
  for (const char s : q.order) {
    if (s == 'k') {
      o.samplers.push_back("top_k");
      low = std::max(low, n - q.top_k);
    } else if (s == 'p') {
      o.samplers.push_back("top_p");
      if (q.top_p >= 1) continue;
      const std::int64_t total = n * (n - 1) / 2 - low * (low - 1) / 2;
      const auto target = static_cast<std::int64_t>(
          std::ceil(static_cast<float>(q.top_p) * static_cast<float>(total)));
      std::int64_t sum = 0, at = n;
      do sum += --at;
      while (sum < target);
      low = at;
    } else {
      o.samplers.push_back("min_p");
      low = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(q.min_p * (n - 1))), low,
                                     n - 1);
    }
  }
  const Sampler sampler(o);
  Candidates c = sampler.candidates(logits, 0);
  c.sort();
  EXPECT_EQ(c.items.front().id, n - 1) << q.order;
  EXPECT_EQ(c.items.back().id, low) << q.order;
  EXPECT_EQ(static_cast<std::int64_t>(c.items.size()), n - low) << q.order;
}

TEST(SamplerVectors, Queues) {
  for (const Queue& q : std::vector<Queue>{{"k", 10000, 1, 1},
                                           {"k", 1, 1, 1},
                                           {"p", 10000, 1, 1},
                                           {"p", 10000, 0, 1},
                                           {"m", 10000, 1, 1},
                                           {"m", 10000, 1, 1e-12},
                                           {"k", 100, 1, 1},
                                           {"p", 10000, 0.0003, 1},
                                           {"p", 10000, 0.8, 1},
                                           {"m", 10000, 1, 9997.9 / 9999},
                                           {"m", 10000, 1, 0.1}})
    expect_queue(q);
  for (const char* order :
       {"kp", "km", "pk", "pm", "mk", "mp", "kpm", "kmp", "pkm", "pmk", "mkp", "mpk"})
    expect_queue({order, 100, 0.8, 0.1});
  expect_queue({"mp", 100, 0.8, 9997.9 / 9999});
}

// What llama.cpp's vectors do not reach.

TEST(Sampler, DynamicTemperatureFollowsTheEntropy) {
  SamplerOptions o = bare();
  o.dynatemp_range = 0.5;
  const std::vector<double> flat = {0.25, 0.25, 0.25, 0.25};
  expect_near(left(o, flat), flat);
  // Entropy 1.0889 of log 4 = 1.3863: the temperature is 0.5 + 0.7855 = 1.2855 (computed apart).
  const std::vector<double> p = {0.1, 0.2, 0.3, 0.4};
  double entropy = 0;
  for (const double x : p) entropy -= x * std::log(x);
  const double t = 0.5 + entropy / std::log(4.0);
  std::vector<double> expected;
  for (const double x : p) expected.push_back(std::pow(x, 1 / t));
  expect_near(left(o, p), expected);
}

TEST(Sampler, PenaltiesLookBackSoFarAndNoFurther) {
  SamplerOptions o = bare();
  o.presence_penalty = 100;
  o.repeat_last_n = 2;
  expect_near(left(o, kFive, {0, 1, 2}), {0.2, 0, 0, 0.2, 0.2});
  o.repeat_last_n = -1;
  expect_near(left(o, kFive, {0, 1, 2}), {0, 0, 0, 0.2, 0.2});
  o.repeat_last_n = 0;
  expect_near(left(o, kFive, {0, 1, 2}), kFive);
}

TEST(Sampler, PenaltiesWorkBehindACut) {
  SamplerOptions o = bare({"top_k", "penalties"});
  o.top_k = 3;
  o.presence_penalty = 100;
  expect_near(left(o, kFour, {3}), {0, 0.2, 0.3, 0});
}

TEST(Sampler, DryGrowsWithTheRepetition) {
  // "0 1 2 0 1 2 0 1": the last five tokens stood there before, and 2 followed.
  const std::vector<std::int32_t> text = {0, 1, 2, 0, 1, 2, 0, 1};
  SamplerOptions o = dry(1, 2, -1);
  o.dry_base = 2;
  const double penalised = std::exp(-8.0);  // 2^(5 - 2)
  expect_near(left(o, {0.25, 0.25, 0.25, 0.25}, text), {1, 1, penalised, 1});
  o.dry_penalty_last_n = 5;  // sees "0 1 2 0 1" only
  expect_near(left(o, {0.25, 0.25, 0.25, 0.25}, text), {1, 1, std::exp(-1.0), 1});
  o.dry_breakers = {{2}};  // a token that breaks is itself never penalised
  expect_near(left(o, {0.25, 0.25, 0.25, 0.25}, text), {1, 1, 1, 1});
  o.dry_breakers = {{1, 2}};  // a breaker of two tokens
  o.dry_penalty_last_n = -1;
  expect_near(left(o, {0.25, 0.25, 0.25, 0.25}, text), {1, 1, std::exp(-1.0), 1});
}

TEST(Sampler, DrySurvivesLongRepetitions) {
  const std::vector<std::int32_t> text(5000, 1);
  const auto p = left(dry(1, 2, -1), kFour, text);
  EXPECT_EQ(p[1], 0);
  EXPECT_NEAR(p[3], 0.5, 1e-5);
}

TEST(Sampler, LogitBias) {
  SamplerOptions o = bare();
  o.bias = {{0, std::log(4.0)}, {3, -std::numeric_limits<double>::infinity()}, {77, 5}};
  expect_near(left(o, kFour), {0.4, 0.2, 0.3, 0});
  const double never = -std::numeric_limits<double>::infinity();
  o.bias = {{0, never}, {1, never}, {2, never}, {3, never}};
  EXPECT_THROW(left(o, kFour), Error);
}

TEST(Sampler, OrderMatters) {
  // Cut before flattening: two stay. After: at temperature 100 all are nearly equal, three stay.
  SamplerOptions o = bare({"top_p", "temperature"});
  o.top_p = 0.7;
  o.temperature = 100;
  auto p = left(o, kFour);
  EXPECT_EQ(p[1], 0);
  o.samplers = {"temperature", "top_p"};
  p = left(o, kFour);
  EXPECT_GT(p[1], 0);
  EXPECT_EQ(p[0], 0);
  o.samplers = {"top_q"};
  EXPECT_THROW(Sampler{o}, Error);
}

TEST(Sampler, NamesHaveOtherSpellings) {
  EXPECT_EQ(sampler_name("top-k"), "top_k");
  EXPECT_EQ(sampler_name("TopP"), "top_p");
  EXPECT_EQ(sampler_name("nucleus"), "top_p");
  EXPECT_EQ(sampler_name("temp"), "temperature");
  EXPECT_EQ(sampler_name("typical"), "typ_p");
  EXPECT_EQ(sampler_name("what"), "what");
}

TEST(Sampler, DefaultsAreThoseOfLlamaCpp) {
  const SamplerOptions o;
  EXPECT_EQ(o.temperature, 0.8);
  EXPECT_EQ(o.top_k, 40);
  EXPECT_EQ(o.top_p, 0.95);
  EXPECT_EQ(o.min_p, 0.05);
  EXPECT_EQ(o.repeat_last_n, 64);
  const std::vector<std::string> expected = {
      "penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"};
  EXPECT_EQ(o.samplers, expected);
}

TEST(Sampler, DrawsInProportion) {
  auto s = shares(bare(), logits_of({0.5, 0.3, 0.15, 0.05}));
  EXPECT_NEAR(s[0], 0.5, 0.015);
  EXPECT_NEAR(s[3], 0.05, 0.01);
}

TEST(Sampler, XtcActsAsOftenAsItIsAsked) {
  SamplerOptions o = bare();
  o.xtc_probability = 0.5;
  auto s = shares(o, logits_of({0.6, 0.3, 0.1}));
  // Half of the draws are among all, half leave only the last of those over 0.1.
  EXPECT_NEAR(s[0], 0.3, 0.015);
}

TEST(Sampler, MirostatKeepsTheSurprise) {
  for (const std::int64_t version : {1, 2}) {
    SamplerOptions o = bare();
    o.mirostat = version;
    o.mirostat_tau = 3;
    Sampler sampler(o);
    std::vector<double> p;
    for (int i = 0; i < 1000; ++i) p.push_back(1.0 / (i + 1));
    const std::vector<float> logits = logits_of(p);
    double total = 0, surprise = 0;
    for (const double x : p) total += x;
    constexpr int kDraws = 4000;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      const std::int32_t id = sampler.pick(logits, i);
      sampler.accept(id);
      surprise -= std::log2(p[static_cast<std::size_t>(id)] / total) / kDraws;
    }
    // Without it this distribution has 7.5 bits a token. Its measure is the probability after the
    // cut, so by the whole distribution there is more.
    EXPECT_GT(surprise, 2.5) << version;
    EXPECT_LT(surprise, 5) << version;
  }
}

TEST(Sampler, AdaptivePPrefersTheTarget) {
  SamplerOptions o = bare({"adaptive_p"});
  o.adaptive_target = 0.3;
  const auto logits = logits_of({0.5, 0.3, 0.15, 0.05});
  Sampler sampler(o);
  int hits = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const std::int32_t id = sampler.pick(logits, i);
    sampler.accept(id);
    hits += id == 1;
  }
  EXPECT_GT(hits, 800);
  o.adaptive_target = -1;  // off: the plain draw
  EXPECT_NEAR(shares(o, logits)[0], 0.5, 0.015);
}

TEST(Sampler, ZeroTemperatureTakesTheFirstOfEquals) {
  Sampler sampler({.temperature = 0});
  EXPECT_EQ(sampler.pick(std::vector<float>{1, 3, 3, 2}, 0), 1);
}

TEST(Sampler, EqualSeedsGiveEqualDraws) {
  const auto logits = logits_of({0.5, 0.3, 0.15, 0.05});
  Sampler a({.seed = 5}), b({.seed = 5}), c({.seed = 6});
  int different = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::int32_t id = a.pick(logits, i);
    EXPECT_EQ(id, b.pick(logits, i));
    different += id != c.pick(logits, i);
  }
  EXPECT_GT(different, 10);
}

TEST(Sampler, ADrawDependsOnItsPositionOnly) {
  const auto logits = logits_of({0.5, 0.3, 0.15, 0.05});
  Sampler forwards({}), backwards({});
  std::vector<std::int32_t> a, b(50);
  for (std::uint64_t i = 0; i < 50; ++i) a.push_back(forwards.pick(logits, i));
  for (std::uint64_t i = 50; i-- > 0;) b[i] = backwards.pick(logits, i);
  EXPECT_EQ(a, b);
}

TEST(Sampler, TheShortcutForTheBestEqualsTheLongWay) {
  // A bias of nothing forces the list of all candidates.
  std::vector<float> logits;
  const RandomStream random(3, "logits");
  for (std::uint64_t i = 0; i < 5000; ++i)
    logits.push_back(std::floor(static_cast<float>(random.normal(i)) * 8) / 8);  // many ties
  for (const std::int64_t k : {1, 2, 40, 700, 3000}) {
    SamplerOptions o;
    o.top_k = k;
    o.min_p = 0;
    o.top_p = 1;
    SamplerOptions biased = o;
    biased.bias = {{0, 0}};
    const Candidates quick = Sampler(o).candidates(logits, 0);
    const Candidates slow = Sampler(biased).candidates(logits, 0);
    ASSERT_EQ(quick.items.size(), slow.items.size());
    for (std::size_t i = 0; i < quick.items.size(); ++i)
      ASSERT_EQ(quick.items[i].id, slow.items[i].id) << k << " " << i;
  }
}

TEST(Sampler, NanLogitsAreNotChosenAndAllNanIsAnError) {
  const float nan = std::nanf("");
  for (const std::int64_t top_k : {0, 40}) {
    SamplerOptions o{.temperature = 2, .top_k = top_k};
    for (std::uint64_t i = 0; i < 50; ++i)
      EXPECT_EQ(Sampler(o).pick(std::vector<float>{nan, 1, nan}, i), 1);
    EXPECT_THROW(Sampler(o).pick(std::vector<float>{nan, nan}, 0), Error);
  }
}

TEST(Sampler, NumbersOutOfRangeAreRefused) {
  EXPECT_THROW(Sampler({.temperature = std::nan("")}), Error);
  EXPECT_THROW(Sampler({.repeat_penalty = 0}), Error);
  EXPECT_THROW(Sampler({.mirostat = 3}), Error);
  EXPECT_THROW(Sampler({.adaptive_decay = 1}), Error);
}

}  // namespace
}  // namespace lathe::generate
