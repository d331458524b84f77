// What every verb file of this folder defines: register_<name>, listed in verb_list.inc.
//
//   void register_plan(CLI::App& root) {
//     struct Options { std::string file; bool json = false; };
//     const auto options = std::make_shared<Options>();
//     CLI::App* verb = root.add_subcommand("plan", "What a recipe will need and take");
//     verb->add_option("FILE", options->file, "the recipe, a TOML file")->required();
//     verb->add_flag("--json", options->json, "print JSON");
//     verb->callback([options] { ... });
//   }
//
// Results go to standard output (fmt::print), everything else to standard error (base/log.h). A
// verb that fails throws; main() prints the message and turns the code into the exit status.
#pragma once

namespace CLI {
class App;
}

namespace lathe::cli {

#define LATHE_VERB(name) void register_##name(CLI::App& root);
#include "lathe/app/cli/verb_list.inc"
#undef LATHE_VERB

}  // namespace lathe::cli
