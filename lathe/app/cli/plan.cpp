#include <fmt/core.h>

#include <memory>

#include "lathe/app/cli/recipe_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/base/format.h"
#include "lathe/base/json.h"
#include "lathe/life/recipes/plan_pretrain.h"

namespace lathe::cli {
namespace {

std::string bytes(std::int64_t n) { return human_bytes(static_cast<double>(n)); }
std::string count(double n) { return human_count(n); }

void print(const recipes::PlanReport& r) {
  fmt::print("parameters   {:>9}\n", count(static_cast<double>(r.parameters)));
  for (const auto& part : r.parts)
    fmt::print("  {:<18} {:>9}\n", part.name, count(static_cast<double>(part.parameters)));
  fmt::print("memory       {:>9} at the peak; {} available\n", bytes(r.peak_bytes),
             bytes(r.available_bytes));
  fmt::print("  weights {}, gradients {}, optimizer {}, activations and workspace {}\n",
             bytes(r.weight_bytes), bytes(r.gradient_bytes), bytes(r.optimizer_bytes),
             bytes(r.activation_bytes));
  fmt::print(
      "data         {} documents, {}{} tokens; {} supervised, {} dropped, {} padded, {} "
      "documents skipped\n",
      count(static_cast<double>(r.documents)), r.data_exact ? "" : "about ",
      count(static_cast<double>(r.tokens)), count(static_cast<double>(r.supervised)),
      count(static_cast<double>(r.dropped)), count(static_cast<double>(r.padded)),
      count(static_cast<double>(r.skipped)));
  fmt::print("run          {} steps of {} micro-batches, {:.2f} epochs\n", r.steps, r.micro_batches,
             r.epochs);
  fmt::print("FLOPs        {} a step, {} a token\n", count(r.flops_per_step),
             count(r.flops_per_token));
  fmt::print("machine      {} in {}: {}FLOP/s at the peak\n", r.instruction_set, r.compute,
             count(r.peak_flops));
  fmt::print("prediction   {} tokens/s (MFU {:.0f}%), {}\n", count(r.tokens_per_second),
             100 * r.mfu, human_duration(r.hours * 3600));
  if (r.peak_bytes > r.available_bytes) fmt::print("warning: more memory than is free now\n");
}

}  // namespace

void register_plan(CLI::App& root) {
  struct Options {
    RecipeOptions recipe;
    std::string cache;
    bool json = false;
  };
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("plan", "What a recipe will need and how long it will take");
  o->recipe.add_to(*verb);
  verb->add_option("--cache", o->cache,
                   "folder for offset indexes and decompressed data (default: the run's)");
  verb->add_flag("--json", o->json, "print JSON");
  verb->footer("Example:\n  lathe plan configs/demo.toml --set model.layers=12");
  verb->callback([o] {
    const recipes::PretrainConfig config = o->recipe.read();
    const std::string cache =
        o->cache.empty() ? o->recipe.default_run_folder(config) + "/cache" : o->cache;
    const auto report = recipes::plan_pretrain(config, cache, real_files());
    if (o->json) return fmt::print("{}\n", write_json(report, 2));
    print(report);
  });
}

}  // namespace lathe::cli
