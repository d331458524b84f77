#include "lathe/life/recipes/open_model.h"

#include <gtest/gtest.h>

#include "lathe/base/memory_files.h"
#include "lathe/base/temporary_folder.h"
#include "lathe/life/generate/decode_step.h"
#include "lathe/life/recipes/convert.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/test_models.h"
#include "lathe/model/weights/gguf_write.h"

namespace lathe::recipes {
namespace {

std::vector<float> logits_of(model::LanguageModel& model) {
  const auto batch = model::TokenBatch::plain({{1, 5, 39, 2, 2, 7}});
  return model.logits(model.hidden(batch)).to_floats();
}
std::vector<float> logits(const FileSystem& files, const char* path, const OpenOptions& options) {
  return logits_of(*open_model(path, options, files).model);
}

class OpenQuantised : public testing::TestWithParam<const char*> {};

TEST_P(OpenQuantised, ExactMeansTheValuesThatTheBlocksStandFor) {
  MemoryFiles files;
  write_model(files, "hf", small_config(GetParam()), DType::f32);
  convert("hf", "q.gguf", {.type = "q8_0", .files = &files});
  convert("q.gguf", "values", {.files = &files});  // the same values as f32
  const auto whole = logits(files, "values", {});
  const auto exact = logits(files, "q.gguf", {.exact = true});
  const auto fast = logits(files, "q.gguf", {});
  EXPECT_NE(fast, exact);  // activations as int8
  ASSERT_EQ(exact.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(exact[i], whole[i], 1e-6);
  EXPECT_EQ(logits(files, "values", {.exact = true}), whole);
}

/// Nothing is expanded: all matrices but those of positions are the blocks of the file.
TEST_P(OpenQuantised, BlocksStayBlocks) {
  MemoryFiles files;
  write_model(files, "hf", small_config(GetParam()), DType::f32);
  convert("hf", "q.gguf", {.type = "q8_0", .files = &files});
  const OpenedModel m = open_model("q.gguf", {}, files);
  int blocks = 0;
  for (const autograd::Parameter* p : m.model->parameters()) {
    const bool expected = p->shape().rank() == 2 && p->name() != "transformer.wpe.weight";
    EXPECT_EQ(p->quantised().has_value(), expected) << p->name();
    blocks += expected ? 1 : 0;
  }
  EXPECT_GE(blocks, 9);
}

INSTANTIATE_TEST_SUITE_P(Kinds, OpenQuantised, testing::Values("llama", "gpt2"));

int coded_matrices(const model::LanguageModel& model) {
  int coded = 0;
  for (const autograd::Parameter* p : model.parameters()) coded += p->codes().defined() ? 1 : 0;
  return coded;
}

/// Of a mapped file: what is read token by token and in one piece has the same bits before and
/// after the weights are encoded, and the step that was captured before notices.
TEST(OpenBf16, EncodedWeightsKeepTheBits) {
  for (const char* kind : {"llama", "gpt2"}) {
    SCOPED_TRACE(kind);
    const TemporaryFolder folder;
    const std::string path = folder / "hf";
    write_model(real_files(), path, small_config(kind), DType::bf16);
    const OpenedModel m = open_model(path, {}, real_files());
    std::vector<std::vector<float>> whole, steps;
    const auto state = m.model->make_state(1, 8);
    generate::DecodeStep step(*m.model);
    for (const bool encoded : {false, true}) {
      if (encoded) m.model->encode_weights();
      whole.push_back(logits_of(*m.model));
      state->truncate(0);
      for (const std::int32_t id : {3, 7}) steps.push_back(step.run(*state, {&id, 1}).to_floats());
    }
    EXPECT_EQ(whole[0], whole[1]);
    EXPECT_EQ(steps[0], steps[2]);
    EXPECT_EQ(steps[1], steps[3]);
    EXPECT_EQ(step.captures(), 2);
    const int coded = coded_matrices(*m.model);
    if (coded == 0 && __builtin_cpu_supports("avx512f"))
      GTEST_SKIP() << "products read bf16 as it lies on AVX-512";
    EXPECT_EQ(coded, std::string(kind) == "llama" ? 15 : 1);
  }
}

/// A short answer pays nothing, a longer one a part each step.
TEST(OpenBf16, WeightsAreEncodedInPartsOnceItPays) {
  const TemporaryFolder folder;
  write_model(real_files(), folder / "hf", small_config("llama"), DType::bf16);
  const OpenedModel m = open_model(folder / "hf", {}, real_files());
  for (int step = 0; step < 16; ++step) m.model->expect_pass(1);
  EXPECT_EQ(coded_matrices(*m.model), 0);
  std::vector<int> coded;
  for (int step = 0; step < 8; ++step) {
    m.model->expect_pass(1);
    coded.push_back(coded_matrices(*m.model));
  }
  if (coded.back() == 0 && __builtin_cpu_supports("avx512f"))
    GTEST_SKIP() << "products read bf16 as it lies on AVX-512";
  EXPECT_GT(coded.front(), 0);
  EXPECT_LT(coded.front(), 8);
  EXPECT_EQ(coded.back(), 15);
}

TEST(OpenTokenizer, OfAFileThatHoldsAVocabularyAndNoNetwork) {
  MemoryFiles files;
  weights::GgufMetadata metadata;
  metadata.set("general.architecture", "somebody-else's");
  tokenize::VocabularyParts parts;
  parts.model = "gpt2";
  parts.pre = "gpt-2";
  parts.tokens = {"a", "b", "ab"};
  parts.merges = {"a b"};
  write_vocabulary(parts, 3, metadata);
  const auto writer = files.open_for_write("vocabulary.gguf", WriteMode::truncate);
  write_gguf(*writer, "vocabulary.gguf", metadata, {});
  writer->close();
  const auto tokenizer = open_tokenizer("vocabulary.gguf", files);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->encode("abba"), (std::vector<std::int32_t>{2, 1, 0}));
  EXPECT_THROW(open_model_files("vocabulary.gguf", files), Error);
}

}  // namespace
}  // namespace lathe::recipes
