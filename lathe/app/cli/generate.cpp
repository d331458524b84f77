#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>

#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/life/generate/generator.h"
#include "lathe/life/recipes/open_model.h"
#include "lathe/text/tokenize/stream_decoder.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string model, prompt, compute = "auto";
  bool has_prompt = false, with_prompt = true;
  generate::GenerateOptions generate;
  bool to_the_end = false;
};

std::string read_input() {
  if (isatty(STDIN_FILENO) != 0)
    fail(ErrorCode::kInvalidArgument,
         "generate: expected a text to continue; give it with -p TEXT or on standard input");
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void run(Options& o) {
  const std::string prompt = o.has_prompt ? o.prompt : read_input();
  const recipes::OpenedModel m = recipes::open_model(o.model, o.compute, real_files());
  if (m.tokenizer == nullptr)
    fail(ErrorCode::kNotFound, "{}: the checkpoint has no tokenizer.json", m.checkpoint);
  std::vector<std::int32_t> ids;
  if (m.config.data.bos) ids.push_back(*m.tokenizer->bos_id());
  m.tokenizer->encode_to(prompt, false, ids);
  const auto end = m.tokenizer->eos_id();
  // An empty prompt means "begin a document": what stood before one in training was its end.
  if (ids.empty() && end) ids.push_back(*end);
  if (!o.to_the_end) o.generate.stop = end;
  const std::int64_t room = m.config.model.context - static_cast<std::int64_t>(ids.size());
  if (m.config.model.kind == "gpt2" && o.generate.tokens > room) {
    if (room < 1)
      fail(ErrorCode::kInvalidArgument,
           "generate: a prompt of {} tokens does not fit the {} positions", ids.size(),
           m.config.model.context);
    log::warning("generate: only {} tokens fit the {} positions of this model", room,
                 m.config.model.context);
    o.generate.tokens = room;
  }
  o.generate.cancel = stop_on_signals();
  if (o.with_prompt) print(prompt);
  tokenize::StreamDecoder decoder(*m.tokenizer);
  generate::generate(*m.model, ids, o.generate, [&](std::int32_t id) {
    print(decoder.push(id));
    return true;
  });
  print(decoder.finish());
  print("\n");
}

}  // namespace

void register_generate(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("generate", "Continue a text with a model");
  verb->add_option("MODEL", o->model, "a run folder or a checkpoint")->required();
  CLI::Option* prompt =
      verb->add_option("-p,--prompt", o->prompt, "text to continue (default: standard input)");
  verb->add_option("-n,--tokens", o->generate.tokens, "most tokens to add")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  auto& s = o->generate.sampler;
  verb->add_option("--temp", s.temperature, "temperature; 0: always the likeliest token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  verb->add_option("--top-k", s.top_k, "draw among so many likeliest tokens; 0: all")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  verb->add_option("--top-p", s.top_p, "draw among the fewest tokens of this probability; 1: all")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--seed", s.seed, "of the draws: equal seeds give equal texts")
      ->capture_default_str();
  verb->add_option("--compute", o->compute, "type of products; auto: as in training")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}));
  verb->add_flag("!--no-prompt", o->with_prompt, "print only what is added");
  verb->add_flag("--ignore-end", o->to_the_end, "go on past the end-of-text token");
  verb->footer(
      "Examples:\n"
      "  lathe generate runs/demo -p 'The ship' -n 100\n"
      "  lathe generate runs/demo -p 'The ship' --temp 0\n"
      "  echo 'It was' | lathe generate runs/demo --seed 7");
  verb->callback([o, prompt] {
    o->has_prompt = prompt->count() > 0;
    run(*o);
  });
}

}  // namespace lathe::cli
