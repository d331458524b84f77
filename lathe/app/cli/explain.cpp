#include "lathe/base/explain.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "lathe/app/cli/compute_options.h"
#include "lathe/app/cli/recipe_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/life/recipes/explain_plan.h"

namespace lathe::cli {
namespace {

using Config = recipes::PretrainConfig;  // what `lathe train` reads

Tree row(const KeyInfo& key) {
  Tree tree = Tree::table();
  tree.add("key", Tree::of(key.path));
  tree.add("type", Tree::of(key.type));
  tree.add("help", Tree::of(key.help));
  if (!key.default_text.empty()) tree.add("default", Tree::of(key.default_text));
  const std::string allowed = describe(key.constraint);
  if (!allowed.empty()) tree.add("allowed", Tree::of(allowed));
  return tree;
}

/// The key itself and, for a table, all that it holds.
Tree rows(const FieldsOf& fields, const std::string& wanted) {
  Tree list;
  list.kind = Tree::Kind::array;
  for (const KeyInfo& key : list_keys(fields)) {
    const bool inside = wanted.empty() || key.path == wanted ||
                        key.path.starts_with(wanted + ".") || key.path.starts_with(wanted + "[");
    if (inside) list.items.push_back(row(key));
  }
  return list;
}

}  // namespace

void register_explain(CLI::App& root) {
  struct Options {
    std::string key;
    RecipeOptions recipe;
    ComputeOptions open;
    std::int64_t rows = 1, depth = 0, tokens = 1;
    bool json = false;

    recipes::StepPlan plan() const {
      if (recipe.file.ends_with(".toml")) {
        if (rows != 1 || depth != 0 || tokens != 1)
          fail(ErrorCode::kInvalidArgument,
               "--rows, --depth and --tokens are for models; the recipe {} says how large its "
               "steps are (train.context, train.micro_tokens; change them with --set)",
               recipe.file);
        return recipes::explain_step(recipe.read(), real_files());
      }
      if (!recipe.set.empty())
        fail(ErrorCode::kInvalidArgument, "--set changes keys of a recipe; {} is none (*.toml)",
             recipe.file);
      return recipes::explain_inference(store::resolve_model(recipe.file),
                                        {open, rows, depth, tokens}, real_files());
    }
  };
  const auto options = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand(
      "explain",
      "What a key of a recipe means, or (--plan) how a step of training or inference runs");
  verb->add_option("KEY", options->key, "a key or table, for example train.context; none: all");
  verb->add_option("--plan", options->recipe.file,
                   "capture a step and measure each op: a training step of a recipe (*.toml), or "
                   "a step of a model, decoding unless --tokens says otherwise");
  verb->add_option("--set", options->recipe.set, "with --plan: change a key of the recipe")
      ->allow_extra_args(false)
      ->take_all();
  verb->add_option("--rows", options->rows, "with --plan MODEL: texts that go side by side")
      ->check(CLI::Range(1, 4096));
  verb->add_option("--depth", options->depth, "with --plan MODEL: tokens that stand before")
      ->check(CLI::Range(0, 1 << 24));
  verb->add_option("--tokens", options->tokens,
                   "with --plan MODEL: tokens that each text gets; more than 1: a prompt")
      ->check(CLI::Range(1, 1 << 20));
  options->open.add_to(*verb);
  verb->add_flag("--json", options->json, "print JSON");
  verb->footer(
      "Examples:\n"
      "  lathe explain train.context\n"
      "  lathe explain --plan configs/demo.toml --set train.recompute=true\n"
      "  lathe explain --plan model.gguf --rows 8 --depth 512\n"
      "  lathe explain --plan model.gguf --tokens 512");
  verb->callback([options] {
    if (!options->recipe.file.empty()) {
      const recipes::StepPlan plan = options->plan();
      return fmt::print("{}", options->json ? write_json(plan, 2) + "\n" : table_of(plan));
    }
    Config config;
    const std::string text = explain(fields_of(config), options->key);  // refuses unknown keys
    if (options->json)
      return fmt::print("{}\n", print_json(rows(fields_of(config), options->key), 2));
    fmt::print("{}", text);
  });
}

}  // namespace lathe::cli
