// Beam search against transformers (fixture: beams.json, by tools/golden/beams.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lathe/life/generate/beam_search.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/load.h"
#include "lathe/model/weights/safetensors.h"

namespace lathe {
namespace {

using Json = nlohmann::json;

// Relative: PyTorch sums in another order, and both add up in f32.
constexpr double kScore = 2e-6;

std::string path(const std::string& file) {
  return std::string(LATHE_SOURCE_DIR) + "/tests/golden/" + file;
}

std::unique_ptr<model::LanguageModel> load(const std::string& name) {
  const Json facts = Json::parse(std::ifstream(path("models/" + name + ".json")));
  const auto config = model::read_hf_config(facts.at("config").dump(), name).model;
  const auto file = weights::SafetensorsFile::open(path("models/" + name + ".safetensors"));
  auto model = model::build(config, DType::f32);
  for (autograd::Parameter* p : model->parameters()) p->load(file.tensor(p->name()));
  return model;
}

void expect_case(model::LanguageModel& model, const Json& c) {
  generate::BeamOptions o{.width = c.at("width"),
                          .tokens = c.at("tokens"),
                          .length_penalty = c.at("length_penalty"),
                          .early_stopping = c.at("early_stopping"),
                          .stop_ids = c.at("stop_ids")};
  const auto beams = generate::beam_search(model, c.at("prompt").get<std::vector<int>>(), o);
  const Json& expected = c.at("beams");
  ASSERT_EQ(beams.size(), expected.size()) << c.dump();
  for (std::size_t i = 0; i < beams.size(); ++i) {
    std::vector<std::int32_t> ids = beams[i].ids;
    if (beams[i].stop_id >= 0) ids.push_back(beams[i].stop_id);
    EXPECT_EQ(ids, expected[i].at("ids").get<std::vector<std::int32_t>>()) << i << " " << c.dump();
    const double score = expected[i].at("score");
    EXPECT_NEAR(beams[i].score, score, kScore * std::max(1.0, std::abs(score))) << c.dump();
  }
}

TEST(GoldenBeams, AreThoseOfTransformers) {
  const Json cases = Json::parse(std::ifstream(path("beams.json"))).at("cases");
  std::string name;
  std::unique_ptr<model::LanguageModel> model;
  for (const Json& c : cases) {
    if (c.at("model") != name) {
      name = c.at("model");
      model = load(name);
    }
    expect_case(*model, c);
  }
  EXPECT_GE(cases.size(), 60u);
}

}  // namespace
}  // namespace lathe
