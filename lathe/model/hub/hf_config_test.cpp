#include "lathe/model/hub/hf_config.h"

#include <gtest/gtest.h>

#include "lathe/base/error.h"

namespace lathe::model {
namespace {

std::string message_of(const std::string& text) {
  try {
    read_hf_config(text, "config.json");
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(HfConfig, AbsentKeysTakeTheValuesOfTheModelType) {
  const ModelConfig qwen = read_hf_config(R"({"model_type": "qwen3"})", "c").model;
  EXPECT_EQ(qwen.head_size, 128);
  EXPECT_EQ(qwen.kv_heads, 32);
  EXPECT_EQ(qwen.window, 0);
  const ModelConfig mistral = read_hf_config(R"({"model_type": "mistral"})", "c").model;
  EXPECT_EQ(mistral.window, 4096);
  EXPECT_EQ(mistral.window_of(3), 4096);
  const ModelConfig gemma = read_hf_config(R"({"model_type": "gemma2"})", "c").model;
  EXPECT_EQ(gemma.attention_cap, 50);
  EXPECT_EQ(gemma.logit_cap, 30);
  EXPECT_EQ(gemma.window_of(0), 4096);
  EXPECT_EQ(gemma.window_of(1), 0);
  EXPECT_TRUE(gemma.tied);
  const ModelConfig smol = read_hf_config(R"({"model_type": "smollm3"})", "c").model;
  EXPECT_TRUE(smol.turns(2));
  EXPECT_FALSE(smol.turns(3));
  EXPECT_EQ(smol.rope_theta, 2e6);
}

TEST(HfConfig, NullIsNotAbsent) {
  const auto c = read_hf_config(R"({"model_type": "mistral", "sliding_window": null})", "c").model;
  EXPECT_EQ(c.window, 0);
  const auto g =
      read_hf_config(R"({"model_type": "gemma2", "attn_logit_softcapping": null})", "c").model;
  EXPECT_EQ(g.attention_cap, 0);
  const auto l = read_hf_config(R"({"model_type": "llama", "rope_scaling": null})", "c").model;
  EXPECT_FALSE(l.rope_scaling.present());
}

TEST(HfConfig, GemmaThreeOfTheFirstGeneration) {
  const auto c = read_hf_config(R"({"model_type": "gemma3_text", "num_hidden_layers": 7,
      "sliding_window_pattern": 3, "sliding_window": 512, "rope_theta": 1000000.0,
      "rope_local_base_freq": 20000, "rope_scaling": {"rope_type": "linear", "factor": 8.0}})",
                                "c")
                     .model;
  EXPECT_EQ(c.window_layers, (std::vector<std::int64_t>{1, 1, 0, 1, 1, 0, 1}));
  EXPECT_EQ(c.rope_local_theta, 20000);
  EXPECT_EQ(c.rope_scaling.factor, 8);
  EXPECT_FALSE(c.rope_local_scaling.present());
}

TEST(HfConfig, TokensThatEndATextMayBeAList) {
  const auto c = read_hf_config(
      R"({"model_type": "llama", "eos_token_id": [1, 7], "bos_token_id": 3, "dtype": "bfloat16"})",
      "c");
  EXPECT_EQ(c.eos, (std::vector<std::int64_t>{1, 7}));
  EXPECT_EQ(c.bos, 3);
  EXPECT_FALSE(c.pad.has_value());
  EXPECT_EQ(c.dtype, "bfloat16");
}

TEST(HfConfig, WhatCannotBeOpenedIsNamed) {
  EXPECT_TRUE(has(message_of(R"({"model_type": "mamba"})"), "found \"mamba\""));
  EXPECT_TRUE(has(message_of("{}"), "model_type"));
  EXPECT_TRUE(has(message_of("[]"), "expected a JSON object"));
  EXPECT_TRUE(has(message_of("{"), "config.json:1"));
  EXPECT_TRUE(has(message_of(R"({"model_type": "llama", "hidden_size": "big"})"),
                  "hidden_size: expected a whole number"));
  EXPECT_TRUE(has(message_of(R"({"model_type": "llama", "hidden_size": -64})"), "width"));
  EXPECT_TRUE(has(message_of(R"({"model_type": "llama", "hidden_act": "mish"})"), "\"mish\""));
  EXPECT_TRUE(has(message_of(R"({"model_type": "llama", "quantization_config": {}})"),
                  "quantization_config"));
  EXPECT_TRUE(has(message_of(R"({"model_type": "llama", "rope_scaling": {"type": "mrope"}})"),
                  "found \"mrope\""));
  EXPECT_TRUE(
      has(message_of(R"({"model_type": "llama", "rope_scaling": {"type": "linear"}})"), "factor"));
  EXPECT_TRUE(has(message_of(R"({"model_type": "phi3", "rope_scaling": {"type": "longrope",
      "short_factor": [1], "long_factor": [1]}})"),
                  "longrope needs 48"));
  EXPECT_TRUE(has(message_of(R"({"model_type": "qwen2", "layer_types": ["linear_attention"]})"),
                  "linear_attention"));
  EXPECT_TRUE(
      has(message_of(R"({"model_type": "llama", "num_hidden_layers": 1000000000})"), "layers"));
}

}  // namespace
}  // namespace lathe::model
