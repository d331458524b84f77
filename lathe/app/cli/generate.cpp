#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "lathe/app/cli/compute_options.h"
#include "lathe/app/cli/sampling_options.h"
#include "lathe/app/cli/text_request.h"
#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/progress.h"
#include "lathe/life/generate/beam_search.h"

namespace lathe::cli {
namespace {

struct Options {
  ComputeOptions open;
  std::string model, prompt, file, jsonl, template_file;
  std::optional<std::string> system;
  bool has_prompt = false, with_prompt = true, json = false, chat = false, to_the_end = false;
  std::int64_t samples = 1, beams = 0;
  double length_penalty = 1;
  bool early_stopping = false;
  SamplingOptions sampling;
  recipes::TextOptions text;
};

std::string read_all(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ErrorCode::kNotFound, "{}: cannot be opened", path);
  return read_all(file);
}

std::string read_prompt(const Options& o) {
  if (o.has_prompt) return o.prompt;
  if (!o.file.empty() && o.file != "-") return read_file(o.file);
  if (isatty(STDIN_FILENO) != 0)
    fail(ErrorCode::kInvalidArgument,
         "generate: expected a text to continue; give it with -p TEXT, with --file or on standard "
         "input");
  return read_all(std::cin);
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// The verb at work: one model, one cache, one text after the other.
class Writer {
 public:
  Writer(const Options& o, recipes::OpenedModel& model, const recipes::ChatFormat* chat)
      : options_(o), model_(model), chat_(chat) {}

  void write(const TextRequest& request) {
    TextRequest r = request;
    if (r.messages.empty() && options_.system)
      r.messages = {recipes::chat_message("system", *options_.system)};
    const std::vector<std::int32_t> ids = ids_of(r, model_, chat_, options_.chat);
    fit(r, static_cast<std::int64_t>(ids.size()));
    if (!options_.to_the_end) r.options.generate.stop_ids = model_.stop_ids;
    const bool answers = !request.messages.empty() || (options_.chat && request.prompt);
    if (answers)
      r.options.stop.insert(r.options.stop.end(), chat_->stop().begin(), chat_->stop().end());
    if (options_.beams > 0) return write_beams(r, ids);
    const std::uint64_t first = r.options.generate.sampler.seed;
    for (std::int64_t i = 0; i < options_.samples && !cancelled(); ++i) {
      r.options.generate.sampler.seed = first + static_cast<std::uint64_t>(i);
      write_one(r, ids, i);
    }
  }

  bool cancelled() const { return options_.text.generate.cancel.requested(); }
  std::int64_t tokens() const { return tokens_; }

 private:
  /// Networks with learned positions end where these do.
  void fit(TextRequest& r, std::int64_t prompt) {
    const std::int64_t context = model_.model->config().context;
    const std::int64_t room = context - prompt;
    if (r.options.generate.tokens <= room) return;
    if (model_.model->config().kind != "gpt2") {
      if (!warned_)
        log::warning(
            "generate: {} tokens of prompt and {} new ones reach beyond the {} that the model "
            "was made for",
            prompt, r.options.generate.tokens, context);
      warned_ = true;
      return;
    }
    if (room < 1)
      fail(ErrorCode::kInvalidArgument,
           "generate: a prompt of {} tokens does not fit the {} positions", prompt, context);
    log::warning("generate: only {} tokens fit the {} positions of this model", room, context);
    r.options.generate.tokens = room;
  }

  generate::TokenReader& reader(std::int64_t capacity) {
    if (reader_ == nullptr || reader_->capacity() < capacity) {
      reader_.reset();
      // Of many texts some are longer than the first: a margin saves reading them anew.
      if (!options_.jsonl.empty()) capacity += capacity / 2;
      reader_ = std::make_unique<generate::TokenReader>(*model_.model, capacity);
    }
    return *reader_;
  }

  void write_one(const TextRequest& r, const std::vector<std::int32_t>& ids, std::int64_t sample) {
    const auto& g = r.options.generate;
    auto& cache = reader(static_cast<std::int64_t>(ids.size()) + g.tokens);
    if (options_.json) {
      const auto written = recipes::write_text(cache, model_.tokenizer.get(), ids, r.options);
      tokens_ += static_cast<std::int64_t>(written.generation.ids.size());
      print(describe_text(r, written, g.sampler.seed, model_.tokenizer != nullptr) + "\n");
      return;
    }
    if (options_.samples > 1) print(fmt::format("--- {} (seed {})\n", sample + 1, g.sampler.seed));
    if (options_.with_prompt && !options_.chat && r.prompt) print(*r.prompt);
    recipes::write_text(cache, model_.tokenizer.get(), ids, r.options, print);
    print("\n");
  }

  void write_beams(const TextRequest& r, const std::vector<std::int32_t>& ids) {
    generate::BeamOptions b{.width = options_.beams,
                            .tokens = r.options.generate.tokens,
                            .length_penalty = options_.length_penalty,
                            .early_stopping = options_.early_stopping,
                            .stop_ids = r.options.generate.stop_ids,
                            .cancel = r.options.generate.cancel};
    const auto beams = generate::beam_search(*model_.model, ids, b);
    for (std::size_t i = 0; i < beams.size(); ++i) {
      if (i >= static_cast<std::size_t>(options_.samples)) break;
      print_beam(r, beams[i]);
    }
  }

  void print_beam(const TextRequest& r, const generate::Beam& beam) {
    const bool has_text = model_.tokenizer != nullptr;
    const std::string text = has_text ? model_.tokenizer->decode(beam.ids) : "";
    tokens_ += static_cast<std::int64_t>(beam.ids.size());
    if (!options_.json) {
      print((options_.with_prompt && !options_.chat ? r.prompt.value_or("") : "") + text + "\n");
      return;
    }
    Tree out = Tree::table();
    if (r.label) out.add("id", *r.label);
    if (r.prompt) out.add("prompt", Tree::of(*r.prompt));
    if (has_text) out.add("text", Tree::of(text));
    out.add("ids", Tree::of(std::vector<std::int64_t>(beam.ids.begin(), beam.ids.end())));
    out.add("stop", Tree::of(std::string(beam.stop_id >= 0 ? "stop_token" : "length")));
    if (beam.stop_id >= 0) out.add("stop_id", Tree::of(std::int64_t{beam.stop_id}));
    out.add("score", Tree::of(beam.score));
    print(print_json(out) + "\n");
  }

  const Options& options_;
  recipes::OpenedModel& model_;
  const recipes::ChatFormat* chat_;
  std::unique_ptr<generate::TokenReader> reader_;
  std::int64_t tokens_ = 0;
  bool warned_ = false;
};

/// A line that cannot be answered is answered by {"error": ...}; the others are not lost.
void write_batch(const Options& o, Writer& writer) {
  std::ifstream file;
  if (o.jsonl != "-") {
    file.open(o.jsonl);
    if (!file) fail(ErrorCode::kNotFound, "{}: cannot be opened", o.jsonl);
  }
  std::istream& in = o.jsonl == "-" ? std::cin : file;
  LiveLine live;
  const double start = steady_clock().seconds();
  std::int64_t done = 0, failed = 0;
  std::string line;
  for (std::int64_t number = 1; !writer.cancelled() && std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      writer.write(read_request(line, fmt::format("{}:{}", o.jsonl, number), o.text));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      Tree out = Tree::table();
      out.add("line", Tree::of(number));
      out.add("error", Tree::of(error.message()));
      print(print_json(out) + "\n");
      ++failed;
    }
    ++done;
    const double seconds = std::max(steady_clock().seconds() - start, 1e-9);
    live.show(fmt::format("{} texts, {} tokens, {:.1f} tokens/s", done, writer.tokens(),
                          static_cast<double>(writer.tokens()) / seconds));
  }
  live.clear();
  if (failed > 0)
    fail(ErrorCode::kInvalidArgument,
         "{}: {} of {} lines could not be answered; see their \"error\"", o.jsonl, failed, done);
}

void run(Options& o) {
  o.text.generate.sampler = o.sampling.for_tokenizer(nullptr);
  const bool batch = !o.jsonl.empty();
  TextRequest request;
  if (!batch) request.prompt = read_prompt(o);
  o.json = o.json || batch;
  recipes::OpenedModel m = recipes::open_model(store::resolve_model(o.model), o.open, real_files());
  if (m.tokenizer == nullptr && !batch)
    fail(ErrorCode::kNotFound,
         "{}: there is no tokenizer to read and write text with; give tokens, {{\"ids\": [...]}} "
         "with --jsonl",
         m.checkpoint);
  o.text.generate.sampler = o.sampling.for_tokenizer(m.tokenizer.get());
  o.text.generate.cancel = stop_on_signals();
  o.chat = o.chat || o.system || !o.template_file.empty();
  std::optional<recipes::ChatFormat> chat;
  if (o.chat || (batch && m.tokenizer != nullptr)) {
    std::optional<std::string> given;
    if (!o.template_file.empty()) given = read_file(o.template_file);
    chat.emplace(m, given);
    if (o.chat && !chat->own())
      log::warning("the model has no chat template; using {}", chat->origin());
  }
  Writer writer(o, m, chat ? &*chat : nullptr);
  if (batch) return write_batch(o, writer);
  request.options = o.text;
  writer.write(request);
}

void add_input(CLI::App& verb, Options& o) {
  verb.add_option("MODEL", o.model,
                  "a run folder, a checkpoint, a Hugging Face folder or a GGUF file")
      ->required();
  CLI::Option* prompt =
      verb.add_option("-p,--prompt", o.prompt, "text to continue (default: standard input)");
  CLI::Option* file = verb.add_option("-f,--file", o.file, "file with the text; -: standard input");
  CLI::Option* jsonl = verb.add_option(
      "--jsonl", o.jsonl, "file of requests, a JSON object a line (see below); -: standard input");
  prompt->excludes(file)->excludes(jsonl);
  file->excludes(jsonl);
  verb.add_flag("--chat,!--raw", o.chat, "the text is what a user says: apply the chat template");
  verb.add_option("--system", o.system, "system message before it (means --chat)");
  verb.add_option("--template", o.template_file,
                  "chat template (Jinja file) instead of the model's");
}

void add_output(CLI::App& verb, Options& o) {
  verb.add_option("-n,--tokens", o.text.generate.tokens, "most tokens to add")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  verb.add_option("--samples", o.samples, "so many texts, with seeds counting up; beams: the best")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  verb.add_option("--stop", o.text.stop, "end before this text (repeatable)")
      ->allow_extra_args(false);
  verb.add_flag("--ignore-end", o.to_the_end, "go on past the end-of-text token");
  verb.add_flag("--special", o.text.special, "show special tokens by their names");
  verb.add_option("--beams", o.beams, "search for the likeliest text with so many beams")
      ->check(CLI::Range(1, 1024));
  verb.add_option("--length-penalty", o.length_penalty, "beams: > 0 favours long texts")
      ->capture_default_str();
  verb.add_flag("--early-stopping", o.early_stopping, "beams: end once enough texts are finished");
  o.open.add_to(verb);
  verb.add_flag("!--no-prompt", o.with_prompt, "print only what is added");
  verb.add_flag("--json", o.json, "print a JSON object: text, ids, why it ended, counts, seconds");
}

}  // namespace

void register_generate(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("generate", "Continue a text with a model");
  add_input(*verb, *o);
  add_output(*verb, *o);
  o->sampling.add_to(*verb);
  verb->footer(
      "A line of --jsonl is {\"prompt\": TEXT}, {\"ids\": [...]} or {\"messages\": [...]}; it may "
      "have\n"
      "\"id\" (given back), \"tokens\", \"stop\", \"seed\" and samplers' values such as "
      "\"temperature\".\n"
      "Examples:\n"
      "  lathe generate runs/demo -p 'The ship' -n 100\n"
      "  lathe generate runs/demo -p 'The ship' --temp 0 --stop '\\n\\n' --json\n"
      "  echo 'It was' | lathe generate runs/demo --seed 7 --samples 3\n"
      "  lathe generate model.gguf --chat -p 'Name three rivers' --system 'Be brief.'\n"
      "  lathe generate model.gguf -p 'Once' --logit-bias 13=never --repeat-penalty 1.1\n"
      "  lathe generate hf_folder -p 'The capital of' --beams 4\n"
      "  lathe generate runs/demo --jsonl prompts.jsonl > answers.jsonl");
  verb->callback([o, verb] {
    o->has_prompt = verb->get_option("--prompt")->count() > 0;
    run(*o);
  });
}

}  // namespace lathe::cli
