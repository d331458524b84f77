#include "lathe/life/generate/generator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/random.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/generate/beam_search.h"
#include "lathe/life/generate/score.h"
#include "lathe/life/generate/test_model.h"

namespace lathe::generate {
namespace {

using Ids = std::vector<std::int32_t>;

std::unique_ptr<model::LanguageModel> tiny(const std::string& kind = "llama",
                                           std::int64_t window = 0) {
  model::ModelConfig c = tiny_config(kind, 64);
  c.window = window;
  if (window > 0) c.window_layers = {1, 0};
  return random_model(c);
}

Ids some(std::size_t n, std::uint64_t seed = 1) {
  const RandomStream random(seed, "ids");
  Ids ids;
  for (std::uint64_t i = 0; i < n; ++i) ids.push_back(static_cast<int>(random.below(61, i)));
  return ids;
}

std::vector<float> logits_after(model::LanguageModel& model, const Ids& ids,
                                std::int64_t capacity = 64) {
  TokenReader reader(model, capacity);
  reader.read(ids);
  const auto logits = reader.logits();
  return {logits.begin(), logits.end()};
}

TEST(TokenReader, ComputesOnlyWhatIsNewWithTheSameBits) {
  const auto model = tiny();
  TokenReader reader(*model, 64);
  const Ids text = some(20);
  EXPECT_EQ(reader.read(text), 20);
  Ids longer = text;
  longer.insert(longer.end(), {5, 6, 7});
  EXPECT_EQ(reader.read(longer), 3);
  const auto expect_logits = [&](const Ids& ids) {
    const auto logits = reader.logits();
    EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), logits_after(*model, ids));
  };
  expect_logits(longer);
  Ids other(text.begin(), text.begin() + 11);
  other.push_back(60);
  EXPECT_EQ(reader.read(other), text[11] == 60 ? 0 : 1);
  expect_logits(other);
  reader.push(9);
  other.push_back(9);
  expect_logits(other);
  EXPECT_EQ(reader.read(other), 0);
  expect_logits(other);
  const Ids beginning(other.begin(), other.begin() + 4);  // a shorter text: its last token again
  EXPECT_EQ(reader.read(beginning), 1);
  expect_logits(beginning);
}

// A layer with a window has given back what the tokens after a short beginning would see: it is
// read again. After a long one it has not.
TEST(TokenReader, ReadsAgainWhatAWindowHasForgotten) {
  const auto model = tiny("llama", 8);
  TokenReader reader(*model, 1000);
  const Ids text = some(900);
  EXPECT_EQ(reader.read(text), 900);
  for (const std::size_t same : {700, 50}) {
    Ids other(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(same));
    other.push_back((text[same] + 1) % 61);
    EXPECT_EQ(reader.read(other), same == 700 ? 1 : 51);
    const auto logits = reader.logits();
    EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()),
              logits_after(*model, other, 100 + 900));
  }
}

TEST(TokenReader, RefusesWhatDoesNotFit) {
  const auto model = tiny();
  TokenReader reader(*model, 8);
  EXPECT_THROW(reader.read(some(9)), Error);
  EXPECT_THROW(reader.read(Ids{}), Error);
  EXPECT_THROW(reader.read(Ids{61}), Error);
  EXPECT_THROW(reader.read(Ids{-1}), Error);
  EXPECT_EQ(reader.read(some(8)), 8);
}

TEST(TokenReader, StopsBetweenChunks) {
  const auto model = tiny();
  TokenReader reader(*model, 64);
  StopSource stop;
  stop.request();
  EXPECT_EQ(reader.read(some(5), stop.token()), 0);
  EXPECT_FALSE(reader.whole());
  EXPECT_EQ(reader.read(some(5)), 5);
  EXPECT_TRUE(reader.whole());
}

TEST(Generate, OneReaderForManyTextsChangesNothing) {
  const auto model = tiny();
  TokenReader reader(*model, 64);
  for (std::uint64_t i = 0; i < 4; ++i) {
    GenerateOptions o{.tokens = 12};
    o.sampler.seed = i;
    const Ids prompt = some(3 + i, i % 2);
    const auto shared = generate(reader, prompt, o);
    const auto alone = generate(*model, prompt, o);
    EXPECT_EQ(shared.ids, alone.ids);
    EXPECT_EQ(shared.ids.size(), 12u);
    EXPECT_EQ(shared.reason, StopReason::kLength);
  }
}

TEST(Generate, EndsForEveryReason) {
  const auto model = tiny();
  const Ids prompt = some(4);
  GenerateOptions o{.tokens = 10};
  o.sampler.temperature = 0;
  const Ids all = generate(*model, prompt, o).ids;

  o.stop_ids = {all[3]};
  const auto stopped = generate(*model, prompt, o);
  EXPECT_EQ(stopped.reason, StopReason::kStopToken);
  EXPECT_EQ(stopped.stop_id, all[3]);
  const auto first = std::find(all.begin(), all.end(), all[3]);
  EXPECT_EQ(stopped.ids, Ids(all.begin(), first));

  o.stop_ids.clear();
  const auto told = generate(*model, prompt, o, [](std::int32_t) { return false; });
  EXPECT_EQ(told.reason, StopReason::kCaller);
  EXPECT_EQ(told.ids, Ids{all[0]});

  StopSource stop;
  o.cancel = stop.token();
  const auto cancelled = generate(*model, prompt, o, [&](std::int32_t) {
    stop.request();
    return true;
  });
  EXPECT_EQ(cancelled.reason, StopReason::kCancelled);
  EXPECT_EQ(cancelled.ids, Ids{all[0]});

  TokenReader small(*model, 6);
  o.cancel = {};
  const auto full = generate(small, prompt, o);
  EXPECT_EQ(full.reason, StopReason::kLength);
  EXPECT_EQ(full.ids, Ids(all.begin(), all.begin() + 3));  // the third is not read any more
}

TEST(Generate, PenaltiesSeeThePrompt) {
  const auto model = tiny();
  const Ids prompt = some(4);
  GenerateOptions o{.tokens = 1};
  o.sampler.temperature = 0;
  const std::int32_t best = generate(*model, prompt, o).ids[0];
  Ids with = {best};
  with.insert(with.end(), prompt.begin(), prompt.end());
  o.sampler.presence_penalty = 1000;
  EXPECT_NE(generate(*model, with, o).ids[0], best);
}

TEST(Perplexity, FollowsTheProtocol) {
  const auto model = tiny();
  const Ids ids = some(43);
  const Perplexity p = perplexity(*model, ids, {.context = 16, .bos = 2});
  EXPECT_EQ(p.chunks, 2);
  EXPECT_EQ(p.scored, 2 * 7);
  double sum = 0, squares = 0;
  for (int chunk = 0; chunk < 2; ++chunk) {
    Ids part(ids.begin() + 16 * chunk, ids.begin() + 16 * (chunk + 1));
    part[0] = 2;
    const Scores scores = score(*model, part, 0);
    for (std::size_t t = 9; t < 16; ++t) {  // logprobs[t - 1] belongs to token t
      const double nll = -scores.logprobs[t - 1];
      sum += nll;
      squares += nll * nll;
    }
  }
  const double mean = sum / 14, variance = squares / 14 - mean * mean;
  EXPECT_NEAR(p.value, std::exp(mean), 1e-9 * p.value);
  EXPECT_NEAR(p.error, std::exp(mean) * std::sqrt(variance / 13), 1e-9 * p.value);
  EXPECT_THROW(perplexity(*model, some(31), {.context = 16}), Error);
  EXPECT_EQ(perplexity(*model, ids, {.context = 16, .chunks = 1}).chunks, 1);
}

TEST(Score, TopComesInOrder) {
  const auto model = tiny();
  const Scores s = score(*model, some(6), 3);
  ASSERT_EQ(s.logprobs.size(), 5u);
  ASSERT_EQ(s.top.size(), 5u);
  for (const auto& top : s.top) {
    ASSERT_EQ(top.size(), 3u);
    EXPECT_GE(top[0].logprob, top[1].logprob);
    EXPECT_GE(top[1].logprob, top[2].logprob);
  }
}

/// One result for each type of cache, however the text comes; that of the compute type is that of
/// no cache.
TEST(Score, TypesOfTheCache) {
  const auto model = tiny();
  const Ids text = some(60);
  const auto scores = [&](std::optional<kernels::KvType> type) {
    model->set_cache_type(type);
    return score(*model, text, 0).logprobs;
  };
  const auto own = scores({}), f32 = scores(kernels::KvType::f32);
  EXPECT_EQ(own, f32);
  for (const auto type : {kernels::KvType::bf16, kernels::KvType::q8_0}) {
    const auto rounded = scores(type);
    EXPECT_NE(rounded, f32);
    double apart = 0;
    for (std::size_t i = 0; i < f32.size(); ++i)
      apart = std::max(apart, std::abs(static_cast<double>(rounded[i] - f32[i])));
    // Weights ten times as large as usual magnify it: 0.034 and 0.10 were measured.
    EXPECT_LT(apart, 0.2) << kernels::name(type);
    const auto state = model->make_state(1, 60);
    Tensor last;
    for (const std::int32_t id : Ids(text.begin(), text.end() - 1))
      last = advance(*model, *state, Ids{id});
    const Tensor logprobs = ops::log_softmax(model->logits(last));
    EXPECT_EQ(logprobs.data<float>()[text.back()], rounded.back()) << kernels::name(type);
  }
}

TEST(BeamSearch, OneBeamIsGreedy) {
  for (const char* kind : {"llama", "gpt2"}) {
    const auto model = tiny(kind);
    const Ids prompt = some(5);
    GenerateOptions o{.tokens = 12};
    o.sampler.temperature = 0;
    const auto beams = beam_search(*model, prompt, {.width = 1, .tokens = 12});
    ASSERT_EQ(beams.size(), 1u);
    EXPECT_EQ(beams[0].ids, generate(*model, prompt, o).ids) << kind;
  }
}

/// Against all 61^2 texts of two tokens: a beam as wide as the vocabulary misses none.
TEST(BeamSearch, AWideBeamFindsTheBest) {
  const auto model = tiny();
  const Ids prompt = some(3);
  const auto beams = beam_search(*model, prompt, {.width = 61, .tokens = 2, .length_penalty = 0});
  double best = -1e9;
  Ids best_ids;
  for (std::int32_t a = 0; a < 61; ++a) {
    Ids text = prompt;
    text.push_back(a);
    text.push_back(0);
    const Scores s = score(*model, text, 61);
    const double p = s.logprobs[2] + s.top[3][0].logprob;
    if (p > best) best_ids = {a, s.top[3][0].id};
    best = std::max(best, p);
  }
  EXPECT_EQ(beams[0].ids, best_ids);
  EXPECT_NEAR(beams[0].score, best, 1e-5);
}

/// The sum of log-probabilities of each beam is that of its text read anew: rows of the cache went
/// where the beams went.
TEST(BeamSearch, ScoresAreThoseOfTheTexts) {
  const auto model = tiny();
  const Ids prompt = some(4);
  const auto beams = beam_search(*model, prompt, {.width = 5, .tokens = 14, .length_penalty = 0});
  ASSERT_EQ(beams.size(), 5u);
  for (const Beam& beam : beams) {
    Ids text = prompt;
    text.insert(text.end(), beam.ids.begin(), beam.ids.end());
    const Scores s = score(*model, text, 0);
    double sum = 0;
    for (std::size_t i = prompt.size() - 1; i < s.logprobs.size(); ++i) sum += s.logprobs[i];
    EXPECT_NEAR(beam.score, sum, 1e-4);
  }
}

}  // namespace
}  // namespace lathe::generate
