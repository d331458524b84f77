#include "lathe/model/weights/hf_folder.h"

#include <gtest/gtest.h>

#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/memory_files.h"

namespace lathe::weights {
namespace {

Tensor numbers(std::int64_t n, float first) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(first + static_cast<float>(i));
  return Tensor::from(values, {n});
}

std::vector<TensorSource> three() {
  std::vector<TensorSource> out;
  for (const auto& [name, n] : {std::pair{"a", 100}, std::pair{"b", 300}, std::pair{"c", 50}})
    out.push_back({name, DType::f32, Shape{n}, [n = n] { return numbers(n, 1.0f); }});
  return out;
}

std::string message_of(const std::string& folder, const FileSystem& files) {
  try {
    HfWeights::open(folder, files);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class HfFolderTest : public ::testing::Test {
 protected:
  HfFolderTest() { files_.make_directories("/m"); }
  void put(const std::string& name, const std::string& text) {
    write_file_atomically(files_, "/m/" + name, text);
  }
  MemoryFiles files_;
};

TEST_F(HfFolderTest, OneFileWhereTensorsFit) {
  write_hf_weights(files_, "/m", three());
  EXPECT_TRUE(files_.exists("/m/model.safetensors"));
  EXPECT_FALSE(files_.exists("/m/model.safetensors.index.json"));
  const auto w = HfWeights::open("/m", files_);
  EXPECT_EQ(w.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(w.get("b").tensor.data<float>()[299], 300.0f);
  EXPECT_EQ(w.file_of("b"), "/m/model.safetensors");
}

TEST_F(HfFolderTest, ShardsHoldAsMuchAsTheyMayAndAtLeastOne) {
  write_hf_weights(files_, "/m", three(), {.max_shard_bytes = 700});
  EXPECT_TRUE(files_.exists("/m/model-00003-of-00003.safetensors"));
  const auto w = HfWeights::open("/m", files_);
  EXPECT_EQ(w.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(w.file_of("b"), "/m/model-00002-of-00003.safetensors");
  EXPECT_EQ(w.get("c").tensor.data<float>()[49], 50.0f);
  const std::string index = files_.read_all("/m/model.safetensors.index.json");
  EXPECT_TRUE(has(index, "\"total_size\": 1800"));
}

TEST_F(HfFolderTest, WhatIsMissingIsNamed) {
  EXPECT_TRUE(has(message_of("/m", files_), "expected model.safetensors"));
  put("pytorch_model.bin", "x");
  EXPECT_TRUE(has(message_of("/m", files_), "pytorch_model.bin"));
  put("model.safetensors.index.json", R"({"weight_map": {"a": "gone.safetensors"}})");
  EXPECT_TRUE(has(message_of("/m", files_), "gone.safetensors"));
  put("model.safetensors.index.json", R"({"weight_map": {"a": "../up.safetensors"}})");
  EXPECT_TRUE(has(message_of("/m", files_), "expected the name of a file beside it"));
  put("model.safetensors.index.json", R"({"weight_map": 3})");
  EXPECT_TRUE(has(message_of("/m", files_), "weight_map"));
  write_safetensors(files_, "/m/one.safetensors", {{"a", numbers(2, 0)}});
  put("model.safetensors.index.json", R"({"weight_map": {"b": "one.safetensors"}})");
  EXPECT_TRUE(has(message_of("/m", files_), "tensor 'b' lies in one.safetensors"));
}

TEST_F(HfFolderTest, SideFilesAreCopiedAndWeightsAreNot) {
  put("tokenizer.json", "{}");
  put("model.safetensors", "x");
  put("README.md", "x");
  files_.make_directories("/to");
  EXPECT_EQ(copy_hf_side_files(files_, "/m", "/to"), (std::vector<std::string>{"tokenizer.json"}));
  EXPECT_EQ(files_.read_all("/to/tokenizer.json"), "{}");
}

}  // namespace
}  // namespace lathe::weights
