// `lathe runs`: list, show, compare, plot and forget the runs of this user.
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/life/runs/compare.h"
#include "lathe/life/runs/loss_plot.h"
#include "lathe/life/runs/report.h"
#include "lathe/life/runs/run_folder.h"
#include "lathe/life/runs/run_index.h"
#include "lathe/life/runs/run_recorder.h"

namespace lathe::cli {
namespace {

using runs::RunRecord;

constexpr const char* kRunHelp = "A run: its id, the beginning of the id, its name, or its folder";

/// What the options of one invocation are parsed into.
struct RunsOptions {
  std::vector<std::string> names;
  std::string out, status;
  int limit = 0;
  bool json = false;
};

void print(const std::string& text) { fmt::print("{}", text); }

void print(const Tree& tree) { print(print_json(tree, 2) + "\n"); }

int output_width() {
  winsize size{};
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/// The index; where it cannot be read but the runs are given as folders, nothing but a warning.
std::vector<RunRecord> known_runs(const std::vector<std::string>& names) {
  const bool only_folders = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return runs::is_run_folder(real_files(), name);
  });
  try {
    return runs::indexed_runs();
  } catch (const Error& e) {
    if (!only_folders) throw;
    log::warning("{}", e.message());
    return {};
  }
}

std::vector<RunRecord> find_all(const std::vector<std::string>& names) {
  const std::vector<RunRecord> indexed = known_runs(names);
  std::vector<RunRecord> found;
  for (const std::string& name : names) {
    found.push_back(runs::find_run(real_files(), indexed, name));
  }
  return found;
}

void list(const RunsOptions& options) {
  std::vector<RunRecord> found = runs::indexed_runs();
  if (!options.status.empty()) {
    std::erase_if(found, [&](const RunRecord& run) {
      return runs::name(runs::status_of(run)) != options.status;
    });
  }
  const auto limit = static_cast<std::size_t>(std::max(options.limit, 0));
  if (limit > 0 && found.size() > limit) found.resize(limit);
  if (options.json) return print(runs::list_tree(found));
  print(runs::list_text(found, real_files(), output_width()));
}

void show(const RunsOptions& options) {
  const RunRecord run = find_all(options.names)[0];
  if (options.json) return print(runs::show_tree(run, real_files()));
  print(runs::show_text(run, real_files()));
}

std::vector<runs::ComparedRun> load(const std::vector<std::string>& names) {
  std::vector<runs::ComparedRun> loaded;
  for (RunRecord& run : find_all(names)) {
    runs::ComparedRun one;
    one.rows = runs::metrics_of(real_files(), run.folder).rows;
    if (one.rows.empty()) {
      fail(ErrorCode::kNotFound, "{}: expected metrics of at least one step, found none",
           run.folder);
    }
    try {
      one.settings = runs::settings_of(real_files(), run.folder);
    } catch (const Error& e) {
      log::warning("{}; its settings are not compared", e.message());
    }
    one.record = std::move(run);
    loaded.push_back(std::move(one));
  }
  return loaded;
}

void compare(const RunsOptions& options) {
  const std::vector<runs::ComparedRun> loaded = load(options.names);
  const runs::Comparison comparison = runs::compare_runs(loaded);
  if (options.json) return print(runs::comparison_tree(comparison, loaded));
  print(runs::comparison_text(comparison, loaded));
}

void plot(const RunsOptions& options) {
  std::string path = options.out;
  if (options.names.size() == 1) {
    const RunRecord run = find_all(options.names)[0];
    path = runs::write_plot(real_files(), run.folder, path);
  } else {
    std::vector<runs::ComparedRun> loaded = load(options.names);
    const std::vector<std::string> names = runs::compare_runs(loaded).names;
    std::vector<runs::PlotRun> drawn;
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      drawn.push_back({names[i], std::move(loaded[i].rows)});
    }
    if (path.empty()) path = "runs.svg";
    write_file_atomically(real_files(), path, runs::plot_svg(drawn));
  }
  print(path + "\n");
}

void forget(const RunsOptions& options) {
  for (const RunRecord& run : find_all(options.names)) {
    const bool listed = !run.id.empty() && runs::forget_run(run.id);
    print(fmt::format("{}: {}\n", run.name,
                      listed ? "off the list; its files stay in " + run.folder
                             : std::string("was not on the list")));
  }
}

using Options = std::shared_ptr<RunsOptions>;

void add_list(CLI::App& runs, const Options& options) {
  CLI::App* verb = runs.add_subcommand("list", "All runs, newest first");
  verb->add_flag("--json", options->json, "Print an array of JSON objects");
  verb->add_option("--limit", options->limit, "At most so many (0: all)")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--status", options->status, "Only runs of this status")
      ->check(CLI::IsMember({"running", "finished", "stopped", "failed", "killed", "dead"}));
  verb->footer("Examples:\n  lathe runs list\n  lathe runs list --status running --json");
  verb->callback([options] { list(*options); });
}

void add_show(CLI::App& runs, const Options& options) {
  CLI::App* verb = runs.add_subcommand("show", "Numbers, settings and files of a run");
  verb->add_option("run", options->names, kRunHelp)->required()->expected(1);
  verb->add_flag("--json", options->json, "Print a JSON object");
  verb->footer("Examples:\n  lathe runs show k3v9\n  lathe runs show runs/shelf --json");
  verb->callback([options] { show(*options); });
}

void add_compare(CLI::App& runs, const Options& options) {
  CLI::App* verb = runs.add_subcommand(
      "compare", "Settings that differ, metrics at equal tokens, paired difference with the first");
  verb->add_option("runs", options->names, kRunHelp)->required()->expected(2, 1000);
  verb->add_flag("--json", options->json, "Print a JSON object");
  verb->footer("Examples:\n  lathe runs compare adamw muon\n  lathe runs compare k3v9 r7 --json");
  verb->callback([options] { compare(*options); });
}

void add_plot(CLI::App& runs, const Options& options) {
  CLI::App* verb = runs.add_subcommand(
      "plot", "Draws loss, bits per byte and learning rate as SVG; prints the path");
  verb->add_option("runs", options->names, kRunHelp)->required()->expected(1, 1000);
  verb->add_option("-o,--out", options->out,
                   "The file to write (one run: loss.svg in its folder; several: runs.svg here)");
  verb->footer("Examples:\n  lathe runs plot shelf\n  lathe runs plot adamw muon --out both.svg");
  verb->callback([options] { plot(*options); });
}

void add_forget(CLI::App& runs, const Options& options) {
  CLI::App* verb = runs.add_subcommand("forget", "Takes runs off the list; their files stay");
  verb->add_option("runs", options->names, kRunHelp)->required()->expected(1, 1000);
  verb->footer("Examples:\n  lathe runs forget k3v9");
  verb->callback([options] { forget(*options); });
}

}  // namespace

void register_runs(CLI::App& root) {
  CLI::App* verb = root.add_subcommand("runs", "The runs made so far: list, show, compare, plot");
  verb->require_subcommand(1);
  verb->footer(
      "The list is kept in $LATHE_HOME/runs.sqlite, else $XDG_DATA_HOME/lathe/runs.sqlite, else\n"
      "~/.local/share/lathe/runs.sqlite. A run folder can be given where it is not on the list.\n\n"
      "Examples:\n"
      "  lathe runs list\n"
      "  lathe runs show k3v9\n"
      "  lathe runs compare adamw muon\n"
      "  lathe runs plot runs/shelf --out shelf.svg");
  const auto options = std::make_shared<RunsOptions>();
  add_list(*verb, options);
  add_show(*verb, options);
  add_compare(*verb, options);
  add_plot(*verb, options);
  add_forget(*verb, options);
}

}  // namespace lathe::cli
