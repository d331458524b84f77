#include "lathe/model/weights/gguf_weights.h"

#include <gtest/gtest.h>

#include <numeric>

#include "lathe/base/error.h"
#include "lathe/base/memory_files.h"
#include "lathe/model/weights/gguf_order.h"
#include "lathe/model/weights/gguf_recipe.h"
#include "lathe/model/weights/gguf_write.h"
#include "lathe/model/weights/row_codec.h"

namespace lathe::weights {
namespace {

std::vector<float> counted(std::int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

GgufTensorSource source(const std::string& name, const std::vector<float>& values, Shape shape,
                        const char* type = "F32") {
  const GgufTensorType* t = find_tensor_type(type);
  std::string bytes(static_cast<std::size_t>(shape.count()) / t->block_elements * t->block_bytes,
                    '\0');
  encode_rows(*t, values.data(), bytes.data(), shape.count() / shape.at(-1), shape.at(-1));
  return {name, t, shape, [bytes](const auto& write) { write(bytes); }};
}

GgufWeights weights_of(const char* architecture, const std::vector<GgufTensorSource>& tensors,
                       GgufWeights::Heads heads, GgufMetadata metadata = {}) {
  metadata.set("general.architecture", architecture);
  MemoryFiles files;
  const auto writer = files.open_for_write("x", WriteMode::truncate);
  write_gguf(*writer, "x", metadata, tensors);
  writer->close();
  return GgufWeights(GgufFile::open("x", files), heads);
}

/// Llama's converter views the rows of q as [heads, 2, half] and swaps the last two: of a head of 4
/// rows it takes 0, 2, 1, 3.
TEST(GgufOrder, InterleavesTheHalvesOfEachHead) {
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < 12; ++r) rows.push_back(hf_row(GgufChange::interleave, 12, 2, r));
  EXPECT_EQ(rows, (std::vector<std::int64_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

/// GPT-NeoX has q, k and v head by head: of 2 heads of 1 row, rows 0 and 3 are q.
TEST(GgufOrder, GathersPartsOfHeads) {
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < 6; ++r) rows.push_back(hf_row(GgufChange::by_part, 6, 2, r));
  EXPECT_EQ(rows, (std::vector<std::int64_t>{0, 3, 1, 4, 2, 5}));
}

TEST(GgufOrder, ThereAndBackIsTheSame) {
  const Tensor t = Tensor::from(counted(24 * 5), {24, 5});
  for (const GgufChange change : {GgufChange::interleave, GgufChange::by_part}) {
    const Tensor there = reorder_rows(t, change, 4, GgufDirection::to_gguf);
    EXPECT_NE(there.to_floats(), t.to_floats());
    EXPECT_EQ(reorder_rows(there, change, 4, GgufDirection::to_hf).to_floats(), t.to_floats());
  }
  EXPECT_THROW(reorder_rows(t, GgufChange::interleave, 5, GgufDirection::to_hf), Error);
}

TEST(GgufWeights, QuantisedRowsMoveAsBlocks) {
  const std::vector<float> values = counted(8 * 64);
  const GgufWeights w =
      weights_of("llama", {source("blk.3.attn_k.weight", values, {8, 64}, "Q8_0")}, {4, 2});
  const StoredTensor t = w.get("model.layers.3.self_attn.k_proj.weight");
  EXPECT_EQ(t.quant, kernels::QuantType::q8_0);
  EXPECT_EQ(t.shape, (Shape{8, 64}));
  const std::vector<float> floats = decoded(t);
  EXPECT_NEAR(floats[64], values[2 * 64], 1e-6 + values[2 * 64] / 254);  // row 1 was row 2
}

TEST(GgufWeights, TheRestIsTheFilesOwnMemory) {
  const GgufWeights w = weights_of(
      "llama", {source("blk.0.ffn_up.weight", counted(4 * 32), {4, 32}, "Q4_0")}, {4, 2});
  const StoredTensor t = w.get("model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(t.tensor.storage()->data(), w.file().tensor(w.file().tensors()[0]).storage()->data());
}

TEST(GgufWeights, NormsLoseTheirOne) {
  const std::vector<float> w = {0.5f, 1e-9f, -1};
  std::vector<float> stored;
  for (const float x : w) stored.push_back(x + 1);
  GgufMetadata metadata;
  const auto get = [&](const std::vector<float>& values) {
    return weights_of("gemma2", {source("output_norm.weight", values, {3})}, {1, 1}, metadata)
        .get("model.norm.weight")
        .tensor.to_floats();
  };
  EXPECT_EQ(get(stored), (std::vector<float>{0.5f, 0, -1}));
  metadata.set(exact_key("output_norm.weight"), std::span<const float>(w));
  EXPECT_EQ(get(stored), w);
  stored[1] = 3;  // changed by another program: its value counts
  EXPECT_EQ(get(stored), (std::vector<float>{0.5f, 2, -1}));
}

TEST(GgufWeights, JoinedMatricesComeApart) {
  const GgufWeights w = weights_of("qwen2",
                                   {source("blk.0.attn_qkv.weight", counted(16 * 2), {16, 2}),
                                    source("blk.0.attn_qkv.bias", counted(16), {16})},
                                   {4, 2});
  EXPECT_EQ(w.names().size(), 6u);
  EXPECT_EQ(w.get("model.layers.0.self_attn.v_proj.weight").tensor.to_floats(),
            (std::vector<float>{24, 25, 26, 27, 28, 29, 30, 31}));
  EXPECT_EQ(w.get("model.layers.0.self_attn.k_proj.bias").tensor.to_floats(),
            (std::vector<float>{8, 9, 10, 11}));
}

TEST(GgufWeights, Gpt2IsTurned) {
  const GgufWeights w =
      weights_of("gpt2", {source("blk.0.ffn_up.weight", counted(6), {3, 2})}, {1, 1});
  const StoredTensor t = w.get("transformer.h.0.mlp.c_fc.weight");
  EXPECT_EQ(t.shape, (Shape{2, 3}));
  EXPECT_EQ(t.tensor.to_floats(), (std::vector<float>{0, 2, 4, 1, 3, 5}));
}

TEST(GgufWeights, StrangersAreRefused) {
  EXPECT_THROW(weights_of("llama", {source("blk.0.ssm_a", {1}, {1})}, {1, 1}), Error);
  EXPECT_THROW(weights_of("llama", {source("blk.x.attn_q.weight", {1}, {1})}, {1, 1}), Error);
  EXPECT_THROW(weights_of("llama",
                          {source("blk.0.attn_qkv.weight", counted(8), {8, 1}),
                           source("blk.0.attn_q.weight", counted(4), {4, 1})},
                          {2, 1}),
               Error);
}

std::string chosen(const char* recipe, const std::string& name, Shape shape,
                   const std::vector<GgufTensorFacts>& others = {}) {
  std::vector<GgufTensorFacts> all = others;
  all.push_back({name, shape, find_tensor_type("F32")});
  return std::string(choose_types(gguf_recipe(recipe), {"llama", 30, 9, 3}, all).back()->name);
}

TEST(GgufRecipe, RowsThatAreNotWholeBlocks) {
  EXPECT_EQ(chosen("Q4_K_M", "blk.0.attn_q.weight", {9, 512}), "Q4_K");
  EXPECT_EQ(chosen("Q4_K_M", "blk.0.attn_q.weight", {9, 576}), "Q5_0");
  EXPECT_EQ(chosen("Q5_K_M", "blk.0.attn_q.weight", {9, 576}), "Q5_1");
  EXPECT_EQ(chosen("Q6_K", "blk.0.attn_q.weight", {9, 576}), "Q8_0");
  EXPECT_EQ(chosen("Q6_K", "blk.0.attn_q.weight", {9, 100}), "F16");
  EXPECT_EQ(chosen("q8_0", "blk.0.attn_q.weight", {9, 100}), "F16");
}

TEST(GgufRecipe, TheOutputIsFiner) {
  EXPECT_EQ(chosen("Q4_0", "token_embd.weight", {9, 512}), "Q6_K");  // tied
  EXPECT_EQ(chosen("Q4_0", "token_embd.weight", {9, 576}), "Q8_0");
  EXPECT_EQ(chosen("Q8_0", "token_embd.weight", {9, 512}), "Q8_0");
  EXPECT_EQ(chosen("BF16", "token_embd.weight", {9, 512}), "BF16");
  const GgufTensorFacts output = {"output.weight", {9, 512}, find_tensor_type("F32")};
  EXPECT_EQ(chosen("Q4_K_M", "token_embd.weight", {9, 512}, {output}), "Q4_K");
  EXPECT_EQ(chosen("Q4_K_M", "output.weight", {9, 512}), "Q6_K");
}

TEST(GgufRecipe, NormsBiasesAndPositionsStay) {
  EXPECT_EQ(chosen("Q4_0", "blk.0.attn_norm.weight", {512}), "F32");
  EXPECT_EQ(chosen("Q4_0", "blk.0.attn_q.bias", {512}), "F32");
  EXPECT_EQ(chosen("Q4_0", "position_embd.weight", {9, 512}), "F32");
  EXPECT_EQ(chosen("F16", "blk.0.attn_q_norm.weight", {9, 512}), "F32");
}

/// Of 16 layers the first and last two, and every third between, get more bits for v and down.
TEST(GgufRecipe, SomeLayersGetMoreBits) {
  std::vector<GgufTensorFacts> tensors;
  for (int i = 15; i >= 0; --i)  // the order in the file does not matter
    tensors.push_back(
        {"blk." + std::to_string(i) + ".ffn_down.weight", {4, 256}, find_tensor_type("F32")});
  const auto types = choose_types(gguf_recipe("q4_k"), {"llama", 16, 4, 4}, tensors);
  std::string finer;
  for (std::size_t i = 0; i < 16; ++i) finer += types[15 - i]->name == "Q6_K" ? '1' : '0';
  EXPECT_EQ(finer, "1100100100100111");
}

TEST(GgufRecipe, UnknownNamesAreRefused) {
  EXPECT_THROW(gguf_recipe("Q9_K"), Error);
  EXPECT_THROW(gguf_recipe("IQ4_NL"), Error);
  EXPECT_EQ(gguf_recipe("q5_k").name, "Q5_K_M");
}

}  // namespace
}  // namespace lathe::weights
