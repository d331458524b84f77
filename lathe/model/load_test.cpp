#include "lathe/model/load.h"

#include <gtest/gtest.h>

#include <map>

#include "lathe/base/error.h"

namespace lathe::model {
namespace {

/// Zeros of any names and shapes.
class Zeros : public weights::WeightSource {
 public:
  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : tensors) out.push_back(name);
    return out;
  }
  bool contains(const std::string& name) const override { return tensors.contains(name); }
  weights::StoredFacts facts(const std::string& name) const override {
    const Tensor& t = tensors.at(name);
    return {.shape = t.shape(),
            .dtype = t.dtype(),
            .type = std::string(lathe::name(t.dtype())),
            .bytes = t.bytes()};
  }
  weights::StoredTensor get(const std::string& name) const override {
    return {tensors.at(name), tensors.at(name).shape(), {}};
  }
  std::string file_of(const std::string&) const override { return "w.safetensors"; }

  std::map<std::string, Tensor> tensors;
};

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    config_.kind = "llama";
    config_.vocab = 8;
    config_.context = 16;
    config_.layers = 1;
    config_.width = 8;
    config_.heads = 2;
    config_.resolve();
    fill();
  }
  void fill() {
    source_.tensors.clear();
    const auto model = build(config_, DType::f32, Device::meta);
    for (const auto* p : model->parameters())
      source_.tensors[p->name()] = Tensor::zeros(p->shape(), DType::bf16);
  }
  std::string message() const {
    try {
      open_for_inference(config_, source_, DType::f32);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
  void expect(const std::string& part) const {
    EXPECT_NE(message().find(part), std::string::npos) << message();
  }

  ModelConfig config_;
  Zeros source_;
};

TEST_F(LoadTest, MatricesStayWhereTheyLie) {
  const auto model = open_for_inference(config_, source_, DType::f32);
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  EXPECT_EQ(model->find(name)->value().bytes_begin(), source_.tensors[name].bytes_begin());
  EXPECT_EQ(model->find("model.norm.weight")->value().dtype(), DType::f32);
  EXPECT_EQ(main_dtype(source_), DType::bf16);
}

TEST_F(LoadTest, MissingForeignAndWrongTensorsAreNamed) {
  source_.tensors.erase("model.norm.weight");
  expect("w.safetensors: has no tensor 'model.norm.weight', expected [8]");
  fill();
  source_.tensors["model.layers.1.mlp.up_proj.weight"] = Tensor::zeros({2, 2}, DType::f32);
  expect("tensor 'model.layers.1.mlp.up_proj.weight' is not part of a llama");
  fill();
  source_.tensors["model.norm.weight"] = Tensor::zeros({9}, DType::f32);
  expect("tensor 'model.norm.weight': expected [8], found [9]");
  fill();
  source_.tensors["model.norm.weight"] = Tensor::zeros({8}, DType::i32);
  expect("expected f32, bf16 or f16, found i32");
}

TEST_F(LoadTest, TiedHeadsBuffersAndMissingPrefixesAreFine) {
  source_.tensors["lm_head.weight"] = Tensor::zeros({8, 8}, DType::f32);
  source_.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = Tensor::zeros({2}, DType::f32);
  EXPECT_EQ(message(), "");
  std::map<std::string, Tensor> bare;
  for (const auto& [name, tensor] : source_.tensors) bare[name.substr(name.find('.') + 1)] = tensor;
  bare.erase("weight");
  source_.tensors = bare;
  EXPECT_EQ(message(), "");
  config_.tied = false;
  expect("tie_word_embeddings");
}

}  // namespace
}  // namespace lathe::model
