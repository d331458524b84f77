#include "lathe/model/gguf_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/memory_files.h"
#include "lathe/model/gguf_rope.h"
#include "lathe/model/weights/gguf_write.h"

namespace lathe::model {
namespace {

using weights::find_tensor_type;
using weights::GgufFile;
using weights::GgufMetadata;
using weights::GgufTensorSource;

GgufTensorSource tensor(const std::string& name, const std::vector<float>& values, Shape shape) {
  return {name, find_tensor_type("F32"), shape, [values](const auto& write) {
            write({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
          }};
}

GgufTensorSource zeros(const std::string& name, Shape shape) {
  return tensor(name, std::vector<float>(static_cast<std::size_t>(shape.count())), shape);
}

GgufFile file_of(const GgufMetadata& metadata, std::vector<GgufTensorSource> tensors) {
  MemoryFiles files;
  const auto writer = files.open_for_write("x.gguf", WriteMode::truncate);
  write_gguf(*writer, "x.gguf", metadata, tensors);
  writer->close();
  return GgufFile::open("x.gguf", files);
}

/// As convert() writes it, without weights that the configuration does not depend on.
GgufFile file_of(const ModelConfig& c, GgufMetadata metadata) {
  std::vector<GgufTensorSource> tensors = {zeros("token_embd.weight", {c.vocab, c.width})};
  if (!c.tied) tensors.push_back(zeros("output.weight", {c.vocab, c.width}));
  if (c.attention_bias) tensors.push_back(zeros("blk.0.attn_output.bias", {c.width}));
  if (c.mlp_bias) tensors.push_back(zeros("blk.0.ffn_up.bias", {c.hidden}));
  for (const auto& [name, values] : gguf_rope_tensors(c))
    tensors.push_back(tensor(name, values, {static_cast<std::int64_t>(values.size())}));
  return file_of(metadata, std::move(tensors));
}

ModelConfig small(const std::string& kind) {
  ModelConfig c;
  c.kind = kind;
  c.vocab = 11;
  c.context = 128;
  c.layers = 4;
  c.width = 32;
  c.heads = 4;
  c.kv_heads = kind == "gpt2" || kind == "gpt_neox" ? 4 : 2;
  c.hidden = 64;
  c.norm_eps = 1e-6;
  c.tied = kind != "gpt_neox" && kind != "olmo2";
  c.attention_bias = kind == "gpt_neox";
  if (kind == "gemma2" || kind == "gemma3_text" || kind == "mistral") c.window = 16;
  if (kind == "gemma2") c.attention_cap = 50;
  if (kind == "gemma2") c.logit_cap = 30;
  if (kind == "gpt_neox") c.rope_fraction = 0.25;
  if (kind == "gpt2" || kind == "gpt_neox") c.mlp_bias = true;
  if (kind == "gpt2") c.attention_bias = true;
  if (kind == "gemma3_text") c.rope_theta = 1e6;
  if (kind == "gemma3_text") c.rope_local_theta = 1e4;
  c.resolve();
  return c;
}

class EveryKind : public testing::TestWithParam<const char*> {};

/// Neither through our own key nor through everybody's is anything lost.
TEST_P(EveryKind, ComesBackFromAFile) {
  const ModelConfig c = small(GetParam());
  GgufMetadata metadata;
  write_gguf_config(c, metadata);
  EXPECT_EQ(write_json(read_gguf_config(file_of(c, metadata))), write_json(c));
  metadata.remove("lathe.model");
  ModelConfig by_keys = read_gguf_config(file_of(c, metadata));
  by_keys.init_std = c.init_std;
  EXPECT_EQ(write_json(by_keys), write_json(c));
}
INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind,
                         testing::Values("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3",
                                         "phi3", "gemma2", "gemma3_text", "olmo2", "smollm3"));

TEST(GgufConfig, ChangedKeysAreBelieved) {
  const ModelConfig c = small("llama");
  GgufMetadata metadata;
  write_gguf_config(c, metadata);
  metadata.set("llama.rope.freq_base", 5e5f);
  EXPECT_EQ(read_gguf_config(file_of(c, metadata)).rope_theta, 5e5);
}

TEST(GgufConfig, WhatKeysCannotSayIsNamedAndKept) {
  ModelConfig c = small("llama");
  c.rope_scaling.kind = "dynamic";
  c.rope_scaling.factor = 2;
  c.rope_layers = {1, 0, 1, 1};
  c.resolve();
  EXPECT_EQ(beyond_gguf(c).size(), 2u);
  EXPECT_TRUE(beyond_gguf(small("smollm3")).empty());
  GgufMetadata metadata;
  write_gguf_config(c, metadata);
  EXPECT_EQ(write_json(read_gguf_config(file_of(c, metadata))), write_json(c));
}

RopeScaling scaling_by_keys(const ModelConfig& c) {
  GgufMetadata metadata;
  write_gguf_config(c, metadata);
  metadata.remove("lathe.model");
  return read_gguf_config(file_of(c, metadata)).rope_scaling;
}

TEST(GgufRope, Llama3ComesBackFromItsDivisors) {
  ModelConfig c = small("llama");
  c.head_size = 64;
  c.context = 131072;
  c.rope_theta = 5e5;
  c.rope_scaling.kind = "llama3";
  c.rope_scaling.factor = 8;
  c.rope_scaling.original_context = 8192;
  c.resolve();
  const RopeScaling s = scaling_by_keys(c);
  EXPECT_EQ(s.kind, "llama3");
  EXPECT_EQ(s.factor, 8);
  EXPECT_EQ(s.original_context, 8192);
  EXPECT_EQ(s.low_frequency_factor, 1);
  EXPECT_EQ(s.high_frequency_factor, 4);
}

TEST(GgufRope, OtherDivisorsBecomeLongrope) {
  EXPECT_EQ(fit_llama3({1, 3, 2, 8}, 1e4).kind, "none");
  EXPECT_EQ(fit_llama3({1, 1, 8, 8}, 1e4).kind, "none");
  EXPECT_EQ(fit_llama3({}, 1e4).kind, "none");
  ModelConfig c = small("llama");
  GgufMetadata metadata;
  write_gguf_config(c, metadata);
  metadata.remove("lathe.model");
  const RopeScaling s =
      read_gguf_config(file_of(metadata, {zeros("token_embd.weight", {11, 32}),
                                          tensor("rope_freqs.weight", {1, 3, 2, 8}, {4})}))
          .rope_scaling;
  EXPECT_EQ(s.kind, "longrope");
  EXPECT_EQ(s.long_factor, (std::vector<double>{1, 3, 2, 8}));
  EXPECT_EQ(s.short_factor, s.long_factor);
  EXPECT_EQ(s.attention_factor, 1);
}

TEST(GgufRope, YarnLinearAndLongrope) {
  ModelConfig c = small("qwen2");
  c.rope_scaling.kind = "yarn";
  c.rope_scaling.factor = 4;
  c.rope_scaling.original_context = 32;
  c.rope_scaling.attention_factor = 1.25;
  c.resolve();
  RopeScaling s = scaling_by_keys(c);
  EXPECT_EQ(s.kind, "yarn");
  EXPECT_EQ(s.factor, 4);
  EXPECT_EQ(s.original_context, 32);
  EXPECT_NEAR(s.attention_factor, 1.25, 1e-6);  // as a quotient in f32

  c.rope_scaling.attention_factor = 0;
  c.rope_scaling.mscale = 0.7;
  c.rope_scaling.mscale_all_dim = 1.2;
  const double log4 = 0.1 * std::log(4.0);
  EXPECT_NEAR(scaling_by_keys(c).attention_factor, (1 + 0.7 * log4) / (1 + 1.2 * log4), 1e-6);
  c.rope_scaling.mscale = c.rope_scaling.mscale_all_dim = 0;
  EXPECT_EQ(scaling_by_keys(c).attention_factor, 0);  // the usual one

  c.rope_scaling = {};
  c.rope_scaling.kind = "linear";
  c.rope_scaling.factor = 2.5;
  c.resolve();
  s = scaling_by_keys(c);
  EXPECT_EQ(s.kind, "linear");
  EXPECT_EQ(s.factor, 2.5);

  c = small("phi3");
  c.rope_scaling.kind = "longrope";
  c.rope_scaling.original_context = 32;
  c.rope_scaling.short_factor = {1, 1, 1.5, 2};
  c.rope_scaling.long_factor = {1, 2, 3, 4};
  c.resolve();
  s = scaling_by_keys(c);
  EXPECT_EQ(s.kind, "longrope");
  EXPECT_EQ(s.original_context, 32);
  EXPECT_EQ(s.long_factor, c.rope_scaling.long_factor);
  EXPECT_NEAR(s.attention_factor, std::sqrt(1 + std::log(4.0) / std::log(32.0)), 1e-6);
}

struct Absurd {
  const char *name, *key;
  double value;
};
class GgufAbsurd : public testing::TestWithParam<Absurd> {};

TEST_P(GgufAbsurd, IsRefused) {
  const ModelConfig c = small("llama");
  GgufMetadata metadata;
  write_gguf_config(c, metadata);
  const weights::GgufValue* old = metadata.find(GetParam().key);
  ASSERT_NE(old, nullptr);
  if (old->type() == weights::GgufType::f32)
    metadata.set(GetParam().key, static_cast<float>(GetParam().value));
  else
    metadata.set(GetParam().key,
                 static_cast<std::uint32_t>(static_cast<std::int64_t>(GetParam().value)));
  EXPECT_THROW(read_gguf_config(file_of(c, metadata)), Error);
}
INSTANTIATE_TEST_SUITE_P(
    Keys, GgufAbsurd,
    testing::Values(Absurd{"heads_0", "llama.attention.head_count", 0},
                    Absurd{"heads_no_divisor", "llama.attention.head_count", 5},
                    Absurd{"kv_heads_above_heads", "llama.attention.head_count_kv", 8},
                    Absurd{"kv_heads_0", "llama.attention.head_count_kv", 0},
                    Absurd{"rope_odd", "llama.rope.dimension_count", 3},
                    Absurd{"rope_0", "llama.rope.dimension_count", 0},
                    Absurd{"context_0", "llama.context_length", 0},
                    Absurd{"context_2_31", "llama.context_length", 2147483648.0},
                    Absurd{"eps_0", "llama.attention.layer_norm_rms_epsilon", 0},
                    Absurd{"eps_nan", "llama.attention.layer_norm_rms_epsilon", NAN},
                    Absurd{"layers_million", "llama.block_count", 1e6},
                    Absurd{"layers_0", "llama.block_count", 0},
                    Absurd{"theta_inf", "llama.rope.freq_base", INFINITY}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(GgufConfig, MissingAndUnknownAreNamed) {
  GgufMetadata metadata;
  const auto message = [&] {
    try {
      read_gguf_config(file_of(metadata, {zeros("token_embd.weight", {11, 32})}));
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  EXPECT_NE(message().find("general.architecture"), std::string::npos);
  metadata.set("general.architecture", "mamba");
  EXPECT_NE(message().find("'mamba' is not supported"), std::string::npos);
  metadata.set("general.architecture", "llama");
  EXPECT_NE(message().find("llama.embedding_length' is missing"), std::string::npos);
  write_gguf_config(small("llama"), metadata);
  metadata.set("llama.expert_count", std::uint32_t{8});
  EXPECT_NE(message().find("mixtures of experts"), std::string::npos);
}

}  // namespace
}  // namespace lathe::model
