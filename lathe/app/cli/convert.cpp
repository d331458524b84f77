#include "lathe/life/recipes/convert.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string source, target, type;
};

void run(const Options& o) {
  recipes::ConvertOptions options;
  options.type = o.type;
  options.stop = stop_on_signals();
  const recipes::ConvertReport report =
      recipes::convert(store::resolve_model(o.source), o.target, options);
  for (const std::string& note : report.notes) log::warning("{}", note);
  fmt::print("{}: {} tensors, {}, {}\n", o.target, report.tensors, report.type,
             human_bytes(static_cast<double>(report.bytes)));
}

}  // namespace

void register_convert(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb =
      root.add_subcommand("convert", "Write a model as a GGUF file or a Hugging Face folder");
  verb->add_option("SRC", o->source,
                   "a run folder, a checkpoint, a Hugging Face folder, a GGUF file")
      ->required();
  verb->add_option("DST", o->target, "NAME.gguf for a GGUF file, else a new folder")->required();
  verb->add_option(
      "--type", o->type,
      "f32, f16, bf16; GGUF also q8_0, q4_0, q4_1, q5_0, q5_1, q4_k_s, q4_k_m, q5_k_s, "
      "q5_k_m, q6_k (default: as SRC has it)");
  verb->footer(
      "DST appears when it is whole; until then nothing has changed.\n"
      "Examples:\n"
      "  lathe convert runs/demo demo.gguf --type q8_0\n"
      "  lathe convert model.gguf model-hf");
  verb->callback([o] { run(*o); });
}

}  // namespace lathe::cli
