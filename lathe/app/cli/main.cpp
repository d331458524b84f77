// The program: looks at the processor, hands the arguments to a verb, and turns what comes back
// into a message and an exit status (README.md, "Exit codes").
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/base/nearest.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/isa.h"

namespace lathe::cli {
namespace {

constexpr int kPipeClosed = 141;  // what a shell reports for a program that SIGPIPE ended

/// Runs before other initialisation, which may already use instructions that are missing.
__attribute__((constructor(101))) void check_processor() {
  if (kernels::processor_is_supported()) return;
  static constexpr char kText[] =
      "lathe: error: this processor lacks AVX2, FMA, F16C or BMI2, which Lathe needs "
      "(Intel since Haswell, 2013; AMD since Excavator, 2015)\n";
  if (::write(STDERR_FILENO, kText, sizeof kText - 1) < 0) errno = 0;
  ::_exit(exit_status(ErrorCode::kUnsupported));
}

void set_log_level(const std::string& name) {
  for (const auto& [text, level] :
       {std::pair{"debug", log::Level::kDebug}, std::pair{"info", log::Level::kInfo},
        std::pair{"warning", log::Level::kWarning}, std::pair{"error", log::Level::kError}})
    if (name == text) log::set_level(level);
}

/// A variable that is misspelt or cannot be obeyed should not be silently something else.
void check_environment() {
  const char* isa = std::getenv("LATHE_ISA");
  if (isa != nullptr && kernels::name(kernels::isa()) != isa)
    log::warning(
        "LATHE_ISA={}: expected reference, avx2, avx2_vnni, avx512, avx512_vnni or avx512_bf16, "
        "and no more than this processor has; using {}",
        isa, kernels::name(kernels::isa()));
  const char* threads = std::getenv("LATHE_THREADS");
  if (threads != nullptr && fmt::format("{}", thread_count()) != threads)
    log::warning("LATHE_THREADS={}: expected 1 to 256; using {}", threads, thread_count());
}

void set_up(CLI::App& root) {
  root.description(
      "Lathe: one program for the whole life of a language model.\n"
      "'lathe VERB --help' tells what a verb takes.");
  root.fallthrough();  // the options below may also stand after the verb
  root.add_option_function<int>("--threads", set_thread_count,
                                "threads to compute with (default: LATHE_THREADS or all cores)");
  root.add_option_function<std::string>("--log", set_log_level, "least level of messages")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
#define LATHE_VERB(name) register_##name(root);
#include "lathe/app/cli/verb_list.inc"
#undef LATHE_VERB
}

/// The verb that was given, or the root.
const CLI::App* chosen(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

std::string command_line(const CLI::App* app) {
  std::string text = app->get_name();
  while ((app = app->get_parent()) != nullptr) text = app->get_name() + " " + text;
  return text;
}

std::vector<std::string> verbs_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent())
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// What is wrong with the command line, in our words where we know better than the parser.
std::string usage_problem(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App* app = chosen(root);
  std::vector<std::string> rest = root.remaining(true);
  std::erase(rest, "--");
  if (rest.empty()) return error.what();
  const std::string& first = rest.front();
  const std::string name = command_line(app);
  if (first.starts_with('-'))
    return fmt::format("{} has no option '{}'{}", name, first,
                       did_you_mean(first.substr(0, first.find('=')), options_of(app)));
  const std::vector<std::string> verbs = verbs_of(app);
  if (verbs.empty()) return fmt::format("{} does not take another argument, '{}'", name, first);
  const std::string meant = did_you_mean(first, verbs);
  return fmt::format("{} has no verb '{}'{}", name, first,
                     meant.empty() ? fmt::format("; there are {}", fmt::join(verbs, ", ")) : meant);
}

int usage_error(const CLI::App& root, const CLI::ParseError& error) {
  log::error("{} (see '{} --help')", usage_problem(root, error), command_line(chosen(root)));
  return exit_status(ErrorCode::kInvalidArgument);
}

/// Standard output is buffered: what did not arrive shows here.
int finish_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  if (errno == EPIPE) return kPipeClosed;  // `lathe runs | head`: nobody wants the rest
  log::error("standard output: {}", std::generic_category().message(errno));
  return exit_status(ErrorCode::kIo);
}

int run(int argc, char** argv) {
  CLI::App root("", "lathe");
  check_environment();
  set_up(root);
  if (argc < 2) {
    fmt::print(stderr, "{}", root.help());
    return exit_status(ErrorCode::kInvalidArgument);
  }
  try {
    root.require_subcommand(1);
    root.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    root.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return usage_error(root, error);
  }
  return finish_output();
}

int report(const Error& error) {
  log::error("{}", error.message());
  return exit_status(error.code());
}

int guarded_run(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    std::fflush(stdout);
    return report(error);
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorCode::kOutOfMemory,
                        "out of memory: the system refused to give more; 'lathe plan' tells what a "
                        "recipe needs"));
  } catch (const std::system_error& error) {
    if (error.code().value() == EPIPE) return kPipeClosed;
    return report(Error(ErrorCode::kIo, error.what()));
  } catch (const std::exception& error) {
    return report(Error(ErrorCode::kInternal,
                        fmt::format("unexpected: {}; this is a bug in Lathe", error.what())));
  }
}

}  // namespace
}  // namespace lathe::cli

int main(int argc, char** argv) {
  // A reader that goes away (`| head`) must not end a training run with it: writes fail instead.
  ::signal(SIGPIPE, SIG_IGN);
  return lathe::cli::guarded_run(argc, argv);
}
