#include <fmt/core.h>

#include <memory>

#include "lathe/app/cli/build_info.h"
#include "lathe/app/cli/recipe_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"

namespace lathe::cli {
namespace {

struct Options {
  RecipeOptions recipe;
  std::string out, dump;
  bool resume = false, quiet = false, profile = false;
};

/// One word of a shell command.
std::string quoted(const std::string& text) {
  if (text.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:") ==
      std::string::npos)
    return text;
  std::string out = "'";
  for (const char c : text) c == '\'' ? out += "'\\''" : out += c;
  return out + "'";
}

void print_summary(const recipes::RunSummary& s) {
  fmt::print("{} at step {}: {} tokens in {}\n", s.finished ? "finished" : "stopped", s.step,
             human_count(static_cast<double>(s.tokens)), human_duration(s.seconds));
  fmt::print("  training loss      {:.4f} nats a token\n", s.loss);
  if (s.best_valid_bpb > 0)
    fmt::print("  best validation    {:.4f} bits per byte\n", s.best_valid_bpb);
  fmt::print("  run folder         {}\n  checkpoint         {}\n", s.run_folder, s.checkpoint);
}

void train(const Options& o) {
  const recipes::PretrainConfig config = o.recipe.read();
  if (!o.dump.empty()) return recipes::dump_batches(config, o.dump, real_files());
  life::Session session;
  session.run_folder =
      std::filesystem::absolute(o.out.empty() ? o.recipe.default_run_folder(config) : o.out)
          .lexically_normal()
          .string();
  session.resume = o.resume;
  session.quiet = o.quiet;
  session.profile = o.profile;
  session.commit = std::string(kBuildInfo.commit);
  session.stop = stop_on_signals();
  const recipes::RunSummary summary = recipes::run_pretrain(config, session);
  if (!summary.profile.empty()) fmt::print("{}", summary.profile);
  print_summary(summary);
  if (summary.finished) {
    fmt::print("try: lathe generate {} -p 'Once upon a time' -n 100\n", quoted(summary.run_folder));
    return;
  }
  std::string command = "lathe train " + quoted(o.recipe.file);
  for (const std::string& set : o.recipe.set) command += " --set " + quoted(set);
  fmt::print("go on with: {} --out {} --resume\n", command, quoted(summary.run_folder));
  std::fflush(stdout);
  fail(ErrorCode::kCancelled, "stopped on request; everything up to step {} is saved",
       summary.step);
}

}  // namespace

void register_train(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("train", "Train a model from a recipe");
  o->recipe.add_to(*verb);
  verb->add_option("--out", o->out, "run folder (default: runs/<name of the recipe>)");
  verb->add_flag("--resume", o->resume,
                 "go on from the newest valid checkpoint of the run folder, or begin");
  verb->add_flag("--quiet", o->quiet, "no live line, no entry in the index of runs");
  verb->add_flag("--profile", o->profile, "print at the end where the time went, op by op");
  verb->add_option("--dump-batches", o->dump,
                   "train nothing: write every batch of the run into this folder, for another "
                   "program to repeat it");
  verb->footer(
      "Examples:\n"
      "  lathe train configs/demo.toml\n"
      "  lathe train my.toml --set train.tokens=5e6 --set optimizer.lr=6e-4 --out runs/second\n"
      "  lathe train my.toml --out runs/second --resume");
  verb->callback([o] { train(*o); });
}

}  // namespace lathe::cli
