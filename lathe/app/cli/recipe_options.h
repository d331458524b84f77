// Options that verbs over a recipe share: FILE.toml and --set.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "lathe/app/store/local_models.h"
#include "lathe/base/toml.h"
#include "lathe/life/recipes/pretrain.h"

namespace lathe::cli {

struct RecipeOptions {
  std::string file;
  std::vector<std::string> set;

  void add_to(CLI::App& verb) {
    verb.add_option("FILE", file, "the recipe, a TOML file")->required();
    verb.add_option("--set", set, "change a key of the recipe: --set train.tokens=2e6 (repeatable)")
        ->allow_extra_args(false)
        ->take_all();
  }

  /// The recipe, with the path of model.weights where it names a pulled model.
  recipes::PretrainConfig read() const {
    recipes::PretrainConfig config;
    read_toml(file, config);
    apply_overrides(set, config);
    std::string& weights = config.model.weights;
    if (!weights.empty()) weights = store::resolve_model(weights);
    return config;
  }

  /// runs/<name of the recipe>.
  std::string default_run_folder(const recipes::PretrainConfig& config) const {
    const std::string stem = std::filesystem::path(file).stem().string();
    return "runs/" + (config.name.empty() ? stem : config.name);
  }
};

}  // namespace lathe::cli
