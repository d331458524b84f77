// Every family in many settings against Hugging Face transformers: logits, gradients, greedy texts,
// the cache, and config.json of both generations. Fixtures: README.md beside this file.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lathe/base/json.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/train/gradients.h"
#include "lathe/life/train/objectives/cross_entropy.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/load.h"
#include "lathe/model/weights/hf_folder.h"

namespace lathe {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;

// Relative to the largest element. The gradient of a parameter is compared by its length and by its
// product with a random vector, relative to the lengths of both.
constexpr double kLogits = 1e-5, kGradients = 1e-4, kDivergence = 1e-3;
constexpr double kNothing = 1e-7;  // a gradient that is zero but for rounding: keys' biases (NoPE)
constexpr double kTie = 1e-3;      // of two logits, below which greedy texts may part

std::string path(const std::string& file) {
  return std::string(LATHE_SOURCE_DIR) + "/tests/golden/families/" + file;
}

const Json& facts() {
  static const Json kFacts = Json::parse(std::ifstream(path("families.json")));
  return kFacts;
}

const weights::SafetensorsFile& results() {
  static const auto kFile = weights::SafetensorsFile::open(path("families.safetensors"));
  return kFile;
}

// --- the formula of the weights, as in tools/golden/families.py

std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

std::vector<double> draw(const std::string& name, std::int64_t count, int bits) {
  std::uint64_t start = 0xCBF29CE484222325;
  for (const char c : name) start = (start ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  std::vector<double> out;
  for (std::int64_t i = 0; i < count; ++i)
    out.push_back(static_cast<double>(mix(start + static_cast<std::uint64_t>(i)) >> (64 - bits)) -
                  static_cast<double>(1 << (bits - 1)));
  return out;
}

class FormulaWeights : public weights::WeightSource {
 public:
  FormulaWeights(const model::ModelConfig& config, DType type) : type_(type) {
    one_plus_ = config.kind.starts_with("gemma");
    const auto model = model::build(config, DType::f32, Device::meta);
    for (const autograd::Parameter* p : model->parameters()) {
      names_.push_back(p->name());
      shapes_[p->name()] = p->shape();
    }
  }
  std::vector<std::string> names() const override { return names_; }
  bool contains(const std::string& name) const override { return shapes_.contains(name); }
  std::string file_of(const std::string&) const override { return "formula"; }
  weights::StoredFacts facts(const std::string& name) const override {
    return {.shape = shapes_.at(name), .dtype = type_, .type = std::string(lathe::name(type_))};
  }
  weights::StoredTensor get(const std::string& name) const override {
    const Shape shape = shapes_.at(name);
    const bool vector = shape.rank() == 1, scale = vector && name.ends_with("weight");
    std::vector<float> values;
    for (const double x : draw(name, shape.count(), vector ? 5 : 8))
      values.push_back(
          static_cast<float>(vector ? (scale && !one_plus_ ? 1 : 0) + x / 64 : x / 512));
    return {ops::cast(Tensor::from(values, shape), type_), shape, {}};
  }

 private:
  DType type_;
  bool one_plus_ = false;
  std::vector<std::string> names_;
  std::map<std::string, Shape> shapes_;
};

double relative(const Tensor& ours, const Tensor& theirs) {
  const auto a = ours.to_doubles(), b = theirs.to_doubles();
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    worst = std::max(worst, std::abs(a[i] - b[i]));
  }
  return worst / largest;
}

/// Mean over rows of KL(theirs | ours) of the softmax.
double divergence(const Tensor& ours, const Tensor& theirs) {
  const std::int64_t vocab = ours.dim(-1), rows = ours.count() / vocab;
  const auto a = ops::log_softmax(ops::reshape(ours, {rows, vocab})).to_doubles();
  const auto b =
      ops::log_softmax(ops::reshape(ops::cast(theirs, DType::f32), {rows, vocab})).to_doubles();
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::exp(b[i]) * (b[i] - a[i]);
  return sum / static_cast<double>(rows);
}

std::string described(const model::ModelConfig& config) { return write_json(config, 1); }

class Family : public ::testing::TestWithParam<std::string> {
 protected:
  Family()
      : note_(facts().at("cases").at(GetParam())),
        config_(model::read_hf_config(note_.at("config").dump(), GetParam()).model),
        ids_(facts().at("ids").get<Ids>()) {}

  std::unique_ptr<model::LanguageModel> open(DType stored, DType compute) const {
    return model::open_for_inference(config_, FormulaWeights(config_, stored), compute);
  }
  static Tensor logits(model::LanguageModel& model, const Ids& ids) {
    return model.logits(model.hidden(model::TokenBatch::plain({ids})));
  }
  Tensor golden(const std::string& what) const { return results().tensor(GetParam() + what); }

  Json note_;
  model::ModelConfig config_;
  Ids ids_;
};

TEST_P(Family, LogitsAgree) {
  const auto model = open(DType::f32, DType::f32);
  EXPECT_LT(relative(logits(*model, ids_), golden(".logits")), kLogits);
}

TEST_P(Family, WeightsOfHalfTheSizeInPlaceGiveTheSameBits) {
  const Tensor whole = logits(*open(DType::f32, DType::f32), ids_);
  for (const DType stored : {DType::bf16, DType::f16}) {
    const Tensor half = logits(*open(stored, DType::f32), ids_);
    EXPECT_EQ(std::memcmp(whole.bytes_begin(), half.bytes_begin(), whole.bytes()), 0)
        << name(stored);
  }
}

TEST_P(Family, Bf16IsClose) {
  const Tensor half = logits(*open(DType::bf16, DType::bf16), ids_);
  const double to_bf16 = divergence(half, golden(".bf16")),
               to_f32 = divergence(half, golden(".logits"));
  RecordProperty("to_bf16", std::to_string(to_bf16));
  RecordProperty("to_f32", std::to_string(to_f32));
  EXPECT_LT(to_bf16, kDivergence);
  EXPECT_LT(to_f32, kDivergence);
}

TEST_P(Family, GreedyTextsAgree) {
  const auto model = open(DType::bf16, DType::f32);
  Ids text(ids_.begin(), ids_.begin() + facts().at("prompt").get<int>());
  const Ids expected = note_.at("greedy");
  const std::vector<double> gaps = note_.at("gaps");
  const auto state = model->make_state(1, static_cast<std::int64_t>(text.size() + expected.size()));
  // Where longrope changes its frequencies transformers computes the keys of a phi3 anew, as we do
  // for all families; for the others it goes on with the old ones.
  const bool mixes = config_.rope_scaling.kind == "longrope" && config_.kind != "phi3";
  Ids next = text;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (mixes && state->length() >= config_.rope_scaling.original_context) return;
    const auto batch = model::TokenBatch::plain({next}, state->length());
    const Tensor h = model->hidden(batch, state.get());
    const Tensor last = model->logits(ops::contiguous(ops::slice(h, 1, h.dim(1) - 1, h.dim(1))));
    const std::int32_t id = ops::argmax(last).data<std::int32_t>()[0];
    if (id != expected[i] && gaps[i] < kTie) return;
    ASSERT_EQ(id, expected[i]) << "token " << i << ", gap " << gaps[i];
    next = {id};
  }
}

/// Whatever the parts in which a text passes through the cache, the last part gets the bits of the
/// text as a whole.
TEST_P(Family, PrefillEqualsStepByStep) {
  const bool dynamic = config_.rope_scaling.kind == "dynamic";  // keys keep their old angles
  const auto limit = dynamic ? config_.context : static_cast<std::int64_t>(ids_.size());
  for (const DType compute : {DType::f32, DType::bf16}) {
    const auto model = open(DType::bf16, compute);
    const auto state = model->make_state(1, limit);
    std::int64_t at = 0;
    for (std::int64_t part = 7; at < limit; part = at % 5 == 0 ? 9 : 1) {
      const std::int64_t n = std::min(part, limit - at), end = at + n;
      const Tensor whole = logits(*model, Ids(ids_.begin(), ids_.begin() + end));
      const Tensor step = model->logits(model->hidden(
          model::TokenBatch::plain({Ids(ids_.begin() + at, ids_.begin() + end)}, at), state.get()));
      const std::int64_t vocab = whole.dim(-1);
      ASSERT_EQ(std::memcmp(step.data<float>(), whole.data<float>() + at * vocab, step.bytes()), 0)
          << "tokens from " << at << " to " << end << " in " << name(compute);
      at = end;
    }
  }
}

TEST_P(Family, ForgettingTokensLeavesThoseBefore) {
  const auto model = open(DType::f32, DType::f32);
  const auto state = model->make_state(1, 48);
  model->hidden(model::TokenBatch::plain({ids_}), state.get());
  state->truncate(20);
  const Ids rest(ids_.begin() + 20, ids_.begin() + 25);
  const Tensor again =
      model->logits(model->hidden(model::TokenBatch::plain({rest}, 20), state.get()));
  const Tensor whole = logits(*model, Ids(ids_.begin(), ids_.begin() + 25));
  if (config_.rope_scaling.kind == "dynamic") return;
  EXPECT_EQ(
      std::memcmp(again.data<float>(), whole.data<float>() + 20 * whole.dim(-1), again.bytes()), 0);
}

TEST_P(Family, LossAndGradientsAgree) {
  const auto model = model::build(config_, DType::f32);
  model::copy_weights(*model, FormulaWeights(config_, DType::f16));
  data::Batch b;
  b.rows = 1;
  b.width = static_cast<std::int64_t>(ids_.size());
  b.tokens = ids_;
  b.targets.assign(ids_.begin() + 1, ids_.end());
  b.targets.push_back(-1);
  b.weights.assign(ids_.size(), 1.0f);
  b.weights.back() = 0;
  b.document_starts.assign(ids_.size(), 0);
  for (std::size_t i = 0; i < ids_.size(); ++i) b.positions.push_back(static_cast<std::int32_t>(i));
  train::Gradients gradients(model->parameters());
  train::CrossEntropy objective(0);
  train::LossSums sums;
  gradients.begin_step();
  objective.train(*model, b, sums);
  gradients.end_step();
  EXPECT_NEAR(sums.nll / sums.weight, note_.at("loss").get<double>(), 1e-5);
  ASSERT_EQ(model->parameters().size(), note_.at("gradients").size());
  for (const autograd::Parameter* p : model->parameters()) {
    const auto ours = p->gradient().to_doubles();
    const auto probe = draw("probe." + p->name(), p->shape().count(), 8);
    double length = 0, product = 0, probe_length = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const double g = ours[i] / sums.weight;
      length += g * g;
      product += g * probe[i];
      probe_length += probe[i] * probe[i];
    }
    const std::vector<double> theirs = note_.at("gradients").at(p->name());
    EXPECT_NEAR(std::sqrt(length), theirs[0], kGradients * theirs[0] + kNothing) << p->name();
    // A gradient that points elsewhere moves the product by its error times about half the length
    // of the probe over the root of its size.
    const double scale = theirs[0] * std::sqrt(probe_length / static_cast<double>(ours.size()));
    EXPECT_NEAR(product, theirs[1], 3 * kGradients * scale + kNothing * 100) << p->name();
  }
}

TEST_P(Family, BothGenerationsOfConfigurationAgree) {
  if (!note_.at("old_config").is_null()) {
    const auto old = model::read_hf_config(note_.at("old_config").dump(), "old").model;
    EXPECT_EQ(described(old), described(config_));
  }
  const auto read = model::read_hf_config(note_.at("config").dump(), "config");
  const auto again = model::read_hf_config(model::write_hf_config(read), "written").model;
  EXPECT_EQ(described(again), described(config_));
}

std::vector<std::string> names_of_cases() {
  std::vector<std::string> names;
  for (const auto& item : facts().at("cases").items()) names.push_back(item.key());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cases, Family, ::testing::ValuesIn(names_of_cases()),
                         [](const auto& info) { return info.param; });

/// A folder as save_pretrained left it: one file or shards, in bf16 or f16.
void expect_folder(const std::string& folder, const std::string& of) {
  const auto& files = real_files();
  const std::string config = path(folder) + "/config.json";
  const auto read = model::read_hf_config(files.read_all(config), config);
  const auto source = weights::HfWeights::open(path(folder));
  const auto model = model::open_for_inference(read.model, source, DType::f32);
  const Ids ids = facts().at("ids");
  const Tensor ours = model->logits(model->hidden(model::TokenBatch::plain({ids})));
  EXPECT_LT(relative(ours, results().tensor(of + ".logits")), kLogits);
}

TEST(HfFolder, ShardsInBf16) { expect_folder("llama_sharded_bf16", "llama_gqa_tied"); }
TEST(HfFolder, OneFileInF16) { expect_folder("gpt2_f16", "gpt2"); }

}  // namespace
}  // namespace lathe
