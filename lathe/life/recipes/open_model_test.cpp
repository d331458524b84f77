#include "lathe/life/recipes/open_model.h"

#include <gtest/gtest.h>

#include "lathe/base/memory_files.h"
#include "lathe/life/recipes/convert.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/test_models.h"
#include "lathe/model/weights/gguf_write.h"

namespace lathe::recipes {
namespace {

std::vector<float> logits(const FileSystem& files, const char* path, const OpenOptions& options) {
  const OpenedModel m = open_model(path, options, files);
  const auto batch = model::TokenBatch::plain({{1, 5, 39, 2, 2, 7}});
  return m.model->logits(m.model->hidden(batch)).to_floats();
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
