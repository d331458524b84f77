#include "lathe/life/generate/decode_step.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/generate/test_model.h"

namespace lathe::generate {
namespace {

using Ids = std::vector<std::int32_t>;

model::ModelConfig tiny(const std::string& kind) { return tiny_config(kind, 200); }

/// Logits of a step that is not captured.
Tensor eager(model::LanguageModel& model, model::ModelState& state, const Ids& ids) {
  std::vector<Ids> rows;
  for (const std::int32_t id : ids) rows.push_back({id});
  const Tensor h = model.hidden(model::TokenBatch::plain(rows, state.length()), &state);
  return model.logits(ops::reshape(h, {h.dim(0), h.dim(-1)}));
}

void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.bytes_begin(), b.bytes_begin(), a.bytes()), 0);
}

TEST(DecodeStep, HasTheBitsOfEagerStepsAcrossPagesAndTables) {
  for (const std::string& kind : model::kinds()) {
    SCOPED_TRACE(kind);
    const auto model = random_model(tiny(kind));
    const auto captured = model->make_state(3, 150), plain = model->make_state(3, 150);
    DecodeStep step(*model);
    for (std::int32_t t = 0; t < 150; ++t) {  // beyond two pages; rotary tables grow at 64 and 128
      const Ids ids{t % 61, (t * 7 + 1) % 61, (t * 11 + 5) % 61};
      expect_same(step.run(*captured, ids), eager(*model, *plain, ids));
      ASSERT_EQ(captured->length(), t + 1);
    }
    EXPECT_NE(step.replay(), nullptr);
    EXPECT_LE(step.captures(), 3);  // as often as tables moved, not as there are tokens
  }
}

/// What the last block leaves out changes neither the last token nor what follows.
TEST(Hidden, OfTheLastTokenAloneHasItsBits) {
  std::vector<model::ModelConfig> configs;
  for (const std::string& kind : model::kinds()) configs.push_back(tiny(kind));
  configs.push_back(tiny("llama"));
  configs.back().rope_scaling = {.kind = "dynamic", .factor = 2, .original_context = 16};
  configs.back().context = 16;
  for (const model::ModelConfig& c : configs) {
    SCOPED_TRACE(c.kind + " " + c.rope_scaling.kind);
    const auto model = random_model(c);
    const auto whole = model->make_state(2, 80), cut = model->make_state(2, 80);
    for (const std::int64_t count : {70, 1, 3}) {
      std::vector<Ids> rows(2);
      for (std::int64_t t = 0; t < count; ++t)
        for (std::int32_t r : {0, 1})
          rows[static_cast<std::size_t>(r)].push_back(static_cast<std::int32_t>((t * 7 + r) % 61));
      const auto batch = model::TokenBatch::plain(rows, whole->length());
      const Tensor all = model->hidden(batch, whole.get());
      const Tensor last = ops::contiguous(ops::slice(all, 1, count - 1, count));
      expect_same(model->hidden(batch, cut.get(), model::Wanted::last), last);
      if (whole->length() > count) continue;
      const Tensor alone = model->hidden(batch, nullptr);
      expect_same(model->hidden(batch, nullptr, model::Wanted::last),
                  ops::contiguous(ops::slice(alone, 1, count - 1, count)));
    }
  }
}

TEST(DecodeStep, HasTheSameBitsOnAllThreadsThatItTries) {
  const int before = thread_count();
  const auto model = random_model(tiny("llama"));
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 8}) {
    set_thread_count(threads);
    const auto state = model->make_state(1, 100);
    DecodeStep step(*model);
    for (std::int32_t t = 0; t < 99; ++t) step.run(*state, Ids{t % 61});  // trials are among them
    const Tensor& logits = step.run(*state, Ids{1});
    results.emplace_back(logits.data<float>(), logits.data<float>() + logits.count());
    EXPECT_GE(step.threads(), 1);
    EXPECT_LE(step.threads(), threads);
  }
  set_thread_count(before);
  EXPECT_EQ(results[0], results[1]);
}

TEST(DecodeStep, FollowsRowsThatAreChosenAndStatesThatAreOthers) {
  const auto model = random_model(tiny("llama"));
  DecodeStep step(*model);
  for (int round = 0; round < 2; ++round) {
    const auto captured = model->make_state(3, 40), plain = model->make_state(3, 40);
    Ids ids{1, 2, 3};
    for (int t = 0; t < 6; ++t) {
      if (t == 2) captured->select_rows(std::array{2, 0}), plain->select_rows(std::array{2, 0});
      if (t == 2) ids = {9, 8};
      if (t == 4) captured->truncate(2), plain->truncate(2);
      expect_same(step.run(*captured, ids), eager(*model, *plain, ids));
    }
  }
}

TEST(DecodeStep, RunsEagerlyWhereFrequenciesFollowTheLength) {
  for (const char* kind : {"dynamic", "longrope"}) {
    SCOPED_TRACE(kind);
    model::ModelConfig c = tiny("llama");
    c.context = 16;
    c.rope_scaling.kind = kind;
    c.rope_scaling.factor = 2;
    c.rope_scaling.original_context = 16;
    if (c.rope_scaling.kind == "longrope") {
      c.context = 32;
      c.rope_scaling.short_factor = {1, 1, 1, 1};
      c.rope_scaling.long_factor = {1, 2, 3, 4};
    }
    const auto model = random_model(c);
    const auto captured = model->make_state(1, 30), plain = model->make_state(1, 30);
    DecodeStep step(*model);
    for (std::int32_t t = 0; t < 30; ++t)
      expect_same(step.run(*captured, Ids{t}), eager(*model, *plain, Ids{t}));
    EXPECT_LE(step.captures(), 1);
  }
}

TEST(DecodeStep, RefusesWhatDoesNotFitAndLosesNothing) {
  const auto model = random_model(tiny("llama"));
  const auto captured = model->make_state(1, 2), plain = model->make_state(1, 2);
  DecodeStep step(*model);
  step.run(*captured, Ids{5});
  EXPECT_THROW(step.run(*captured, Ids{61}), Error);  // no such id
  EXPECT_THROW(step.run(*captured, Ids{1, 2}), Error);
  EXPECT_EQ(captured->length(), 1);
  eager(*model, *plain, {5});
  expect_same(step.run(*captured, Ids{6}), eager(*model, *plain, {6}));
  EXPECT_THROW(step.run(*captured, Ids{7}), Error);  // full
  EXPECT_EQ(captured->length(), 2);
}

}  // namespace
}  // namespace lathe::generate
