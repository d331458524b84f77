#include "lathe/life/generate/score.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>

#include "lathe/app/cli/compute_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/progress.h"
#include "lathe/life/recipes/open_model.h"

namespace lathe::cli {
namespace {

struct Options {
  ComputeOptions open;
  std::string model, file;
  std::int64_t top = 0;
};

/// The ids of a line {"text": ...} or {"ids": [...]}.
std::vector<std::int32_t> ids_of(const std::string& line, const std::string& where,
                                 const recipes::OpenedModel& m) {
  const Tree tree = parse_json(line, where);
  if (tree.kind != Tree::Kind::table)
    fail(ErrorCode::kInvalidArgument, "{}: expected an object, found {}", where, describe(tree));
  if (const Tree* ids = tree.find("ids")) {
    if (ids->kind != Tree::Kind::array)
      fail(ErrorCode::kInvalidArgument, "{}: ids: expected a list, found {}", where,
           describe(*ids));
    std::vector<std::int32_t> out;
    for (const Tree& id : ids->items) {
      if (id.kind != Tree::Kind::integer || id.integer < 0 || id.integer >= m.model->config().vocab)
        fail(ErrorCode::kInvalidArgument, "{}: ids: expected integers from 0 to {}, found {}",
             where, m.model->config().vocab - 1, describe(id));
      out.push_back(static_cast<std::int32_t>(id.integer));
    }
    return out;
  }
  const Tree* text = tree.find("text");
  if (text == nullptr || text->kind != Tree::Kind::string)
    fail(ErrorCode::kInvalidArgument, "{}: expected a key \"text\" (string) or \"ids\" (list)",
         where);
  if (m.tokenizer == nullptr)
    fail(ErrorCode::kNotFound, "{}: \"text\" needs a tokenizer, and {} has none; give \"ids\"",
         where, m.checkpoint);
  return m.tokenizer->encode(text->text);
}

/// Enough digits to read the same float back; what is not finite as null.
std::string number(float value) {
  return std::isfinite(value) ? fmt::format("{:.9g}", value) : "null";
}

void print_scores(const std::vector<std::int32_t>& ids, const generate::Scores& s, bool top) {
  std::string line = "{\"ids\": [";
  for (std::size_t i = 0; i < ids.size(); ++i) line += fmt::format("{}{}", i ? ", " : "", ids[i]);
  line += "], \"logprobs\": [";
  for (std::size_t i = 0; i < ids.size(); ++i)
    line += (i ? ", " : "") + (i == 0 ? std::string("null") : number(s.logprobs[i - 1]));
  line += "]";
  if (top) {
    line += ", \"top\": [";
    for (std::size_t i = 0; i < ids.size(); ++i) {
      line += i ? ", " : "";
      if (i == 0) {
        line += "null";
        continue;
      }
      line += "[";
      for (std::size_t k = 0; k < s.top[i - 1].size(); ++k)
        line += fmt::format("{}[{}, {}]", k ? ", " : "", s.top[i - 1][k].id,
                            number(s.top[i - 1][k].logprob));
      line += "]";
    }
    line += "]";
  }
  fmt::print("{}}}\n", line);
}

void run(const Options& o) {
  std::ifstream file;
  if (o.file != "-") {
    file.open(o.file);
    if (!file) fail(ErrorCode::kNotFound, "{}: cannot be opened", o.file);
  }
  std::istream& in = o.file == "-" ? std::cin : file;
  const recipes::OpenedModel m =
      recipes::open_model(store::resolve_model(o.model), o.open, real_files());
  Progress progress({.what = "scoring"});
  std::string line;
  for (std::int64_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}:{}", o.file, number);
    const std::vector<std::int32_t> ids = ids_of(line, where, m);
    if (ids.empty()) fail(ErrorCode::kInvalidArgument, "{}: there is no token to score", where);
    print_scores(ids, generate::score(*m.model, ids, o.top), o.top > 0);
    progress.add(1);
  }
}

}  // namespace

void register_score(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("score", "Log-probability of each token of given texts");
  verb->add_option("MODEL", o->model,
                   "a run folder, a checkpoint, a Hugging Face folder or a GGUF file")
      ->required();
  verb->add_option("FILE", o->file,
                   "JSONL with {\"text\": ...} or {\"ids\": [...]} a line; -: standard input")
      ->required();
  verb->add_option("--top", o->top, "add the K best ids and log-probabilities of each position")
      ->check(CLI::Range(0, 1 << 22));
  o->open.add_to(*verb);
  verb->footer(
      "Writes {\"ids\": [...], \"logprobs\": [null, ...]} a line: natural logarithms, in full\n"
      "precision, of each token after the ones before it.\n"
      "Example:\n"
      "  echo '{\"text\": \"The ship sailed\"}' | lathe score runs/demo - --top 5");
  verb->callback([o] { run(*o); });
}

}  // namespace lathe::cli
