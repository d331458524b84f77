#include "lathe/data/config.h"

#include <gtest/gtest.h>

#include "lathe/base/toml.h"
#include "lathe/data/test_files.h"

namespace lathe::data {
namespace {

struct Recipe {
  DataConfig data;
  void fields(Fields& f) { f("data", data, "what to train on"); }
};

Recipe read(std::string_view toml) {
  Recipe recipe;
  read_toml_text(toml, "r.toml", recipe);
  return recipe;
}

TEST(DataConfig, SourcesArePathsOrTables) {
  const Recipe r = read(R"([data]
train = ["a.txt", {path = "b/*.jsonl", weight = 2.5, field = "body"}]
valid = ["v.jsonl"]
policy = "skip"
)");
  ASSERT_EQ(r.data.train.size(), 2U);
  EXPECT_EQ(r.data.train[0].path, "a.txt");
  EXPECT_EQ(r.data.train[0].weight, 1);
  EXPECT_EQ(r.data.train[1].weight, 2.5);
  EXPECT_EQ(r.data.options_of(r.data.train[1]).field, "body");
  EXPECT_EQ(r.data.options_of(r.data.train[1]).policy, "skip");
  EXPECT_EQ(r.data.valid[0].path, "v.jsonl");
  r.data.options_of(r.data.train[1]).validate();
}

TEST(DataConfig, WrongValuesAreRefused) {
  EXPECT_NE(error_of([] { read("[data]\npolicy = \"ignore\"\n"); }).find("policy"),
            std::string::npos);
  EXPECT_NE(error_of([] { read("[data]\ntrain = [{path = \"a\", weight = 0}]\n"); }).find("weight"),
            std::string::npos);
  EXPECT_NE(error_of([] { read("[data]\ntrian = [\"a\"]\n"); }).find("train"), std::string::npos);
}

}  // namespace
}  // namespace lathe::data
