#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "lathe/app/cli/build_info.h"
#include "lathe/app/cli/verb.h"
#include "lathe/base/json.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/isa.h"

namespace lathe::cli {
namespace {

struct VersionReport {
  std::string version{kBuildInfo.version}, commit{kBuildInfo.commit};
  std::string compiler{kBuildInfo.compiler}, build{kBuildInfo.kind};
  std::string instruction_set{kernels::name(kernels::isa())};
  std::string best_instruction_set{kernels::name(kernels::best_isa())};
  std::int64_t threads = thread_count();
  std::string libraries{kBuildInfo.libraries};

  void fields(Fields& f) {
    f("version", version);
    f("commit", commit);
    f("compiler", compiler);
    f("build", build);
    f("instruction_set", instruction_set);
    f("best_instruction_set", best_instruction_set);
    f("threads", threads);
    f("libraries", libraries);
  }
};

void print_version() {
  const VersionReport r;
  fmt::print("lathe {} (commit {}, {}, {})\n", r.version, r.commit, r.compiler, r.build);
  fmt::print("instruction set: {} in use, {} the best here\n", r.instruction_set,
             r.best_instruction_set);
  fmt::print("threads: {}\nlibraries: {}\n", r.threads, r.libraries);
}

}  // namespace

void register_version(CLI::App& root) {
  root.add_flag_callback(
      "--version",
      [] {
        print_version();
        throw CLI::Success();
      },
      "Print the version, the commit, the libraries and the instruction set, and end");
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb = root.add_subcommand("version", "What this program was built from and runs on");
  verb->add_flag("--json", *json, "print JSON");
  verb->callback([json] {
    if (*json) return fmt::print("{}\n", write_json(VersionReport(), 2));
    print_version();
  });
}

}  // namespace lathe::cli
