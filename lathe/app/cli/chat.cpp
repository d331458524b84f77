#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <utility>

#include "lathe/app/cli/compute_options.h"
#include "lathe/app/cli/line_input.h"
#include "lathe/app/cli/sampling_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/nearest.h"
#include "lathe/base/toml.h"
#include "lathe/life/recipes/conversation.h"

namespace lathe::cli {
namespace {

constexpr std::int64_t kUsualContext = 8192;  // memory for more is taken only if it is asked for

struct Options {
  ComputeOptions open;
  std::string model, system, template_file, load;
  std::vector<std::string> variables;
  std::int64_t context = 0, tokens = 0;
  SamplingOptions sampling{.random_seed = true};
};

/// What /set changes.
struct Settings {
  std::int64_t tokens = 0;
  std::int64_t seed = 0;
  generate::SamplerOptions sampler;

  void fields(Fields& f) {
    f("tokens", tokens, "most tokens of an answer; 0: what fits", in_range(0, 1 << 20));
    f("seed", seed, "of the draws", in_range(0, 9e15));
    sampler.fields(f);
  }
};

StopSource* answer_in_progress = nullptr;

/// Ctrl-C ends the answer that is being written, or interrupts the wait for a line.
void on_interrupt(int) {
  if (answer_in_progress != nullptr) answer_in_progress->request();
}

void listen_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no restart: a wait for input ends
  ::sigaction(SIGINT, &action, nullptr);
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// What the program itself has to say, apart from answers.
template <typename... Args>
void note(fmt::format_string<Args...> text, Args&&... args) {
  fmt::print(stderr, text, std::forward<Args>(args)...);
  fmt::print(stderr, "\n");
}

Tree variable_of(const std::string& value) {
  try {
    return parse_json(value, "--var");
  } catch (const Error&) {
    return Tree::of(value);  // a word
  }
}

class Chat {
 public:
  Chat(const Options& o, recipes::OpenedModel& model, const recipes::ChatFormat& format,
       std::int64_t context)
      : model_(model),
        conversation_(model, format, context),
        terminal_(::isatty(STDERR_FILENO) != 0) {
    settings_.sampler = o.sampling.for_tokenizer(model.tokenizer.get());
    settings_.seed = static_cast<std::int64_t>(settings_.sampler.seed);
    settings_.tokens = o.tokens;
    breakers_ = o.sampling;
    conversation_.set_system(o.system);
    for (const std::string& text : o.variables) {
      const std::size_t at = text.find('=');
      if (at == std::string::npos || at == 0)
        fail(ErrorCode::kInvalidArgument, "--var: expected NAME=VALUE, got '{}'", text);
      conversation_.variables.add(text.substr(0, at), variable_of(text.substr(at + 1)));
    }
    if (!o.load.empty()) load(o.load);
  }

  /// Until /quit, Ctrl-D, or Ctrl-C twice.
  void run() {
    const auto input = open_line_input(kWords);
    std::string line, text;
    bool warned = false;
    while (!done_) {
      const auto event = input->read(text.empty() ? "> " : ". ", line);
      if (event == LineInput::Event::kInterrupted) {
        const bool leave = warned && line.empty() && text.empty();
        print("\n");
        if (leave) return;
        text.clear();
        warned = true;
        note("Ctrl-C once more, Ctrl-D or /quit leaves");
        continue;
      }
      warned = false;
      if (event == LineInput::Event::kEnd) {
        if (!text.empty()) take(text);
        if (terminal_) print("\n");
        return;
      }
      if (line.ends_with('\\')) {  // the message goes on in the next line
        text += line.substr(0, line.size() - 1) + "\n";
        continue;
      }
      text += line;
      take(std::exchange(text, {}));
    }
  }

  void help() const {
    note(
        "Type a message; a line that ends with \\ goes on in the next one.\n"
        "  /clear           forget the conversation, keep the system message\n"
        "  /undo            take back the last question and its answer\n"
        "  /retry           answer the last question again, differently\n"
        "  /system [TEXT]   show or set the system message; '/system -' removes it\n"
        "  /set [KEY VALUE] show or change how answers are drawn: /set temperature 0.5\n"
        "  /tokens          how much of the context is used\n"
        "  /history         the conversation so far\n"
        "  /save FILE       write the conversation as JSON\n"
        "  /load FILE       go on with a saved one\n"
        "  /quit            leave (also Ctrl-D)\n"
        "A message that begins with '/' is written '//'. Ctrl-C stops an answer.");
  }

 private:
  static constexpr const char* kWords[] = {"/help",   "/clear", "/undo",   "/retry",
                                           "/system", "/set",   "/tokens", "/history",
                                           "/save",   "/load",  "/quit",   nullptr};

  void take(const std::string& line) {
    if (line.find_first_not_of(" \t\r\n") == std::string::npos) return;
    try {
      if (line.starts_with("//")) {
        say(line.substr(1));
      } else if (line.front() == '/') {
        command(line);
      } else {
        say(line);
      }
    } catch (const Error& error) {  // the conversation goes on
      if (error.code() == ErrorCode::kInternal) throw;
      log::error("{}", error.message());
    }
  }

  void command(const std::string& line) {
    const std::size_t space = line.find_first_of(" \t");
    const std::string name = line.substr(0, space);
    const std::size_t begin = line.find_first_not_of(" \t", space);
    const std::string rest = begin == std::string::npos ? "" : line.substr(begin);
    if (name == "/help") return help();
    if (name == "/clear") return clear();
    if (name == "/undo") return undo();
    if (name == "/retry") return retry();
    if (name == "/system") return system(rest);
    if (name == "/set") return set(rest);
    if (name == "/tokens") return show_context();
    if (name == "/history") return history();
    if (name == "/save") return save(rest);
    if (name == "/load") return load(rest);
    if (name == "/quit" || name == "/exit" || name == "/bye") {
      done_ = true;
      return;
    }
    std::vector<std::string> words;
    for (const char* const* word = kWords; *word != nullptr; ++word) words.emplace_back(*word);
    const std::string meant = did_you_mean(name, words);
    fail(ErrorCode::kInvalidArgument, "there is no {}{}", name,
         meant.empty() ? "; /help tells what there is" : meant);
  }

  recipes::TextOptions text_options(const StopToken& cancel) const {
    recipes::TextOptions o;
    o.generate.tokens = settings_.tokens > 0 ? settings_.tokens : conversation_.context();
    o.generate.sampler = settings_.sampler;
    o.generate.sampler.seed = static_cast<std::uint64_t>(settings_.seed) + answers_;
    o.generate.cancel = cancel;
    return o;
  }

  /// `ask` writes an answer; Ctrl-C stops that and nothing else.
  void answer(const std::function<recipes::Answer(const recipes::TextOptions&)>& ask) {
    StopSource stop;
    answer_in_progress = &stop;
    recipes::Answer answer;
    try {
      answer = ask(text_options(stop.token()));
    } catch (...) {
      answer_in_progress = nullptr;
      throw;
    }
    answer_in_progress = nullptr;
    ++answers_;  // the next draws are others, also where a question is asked again
    print("\n");
    report(answer);
  }

  void report(const recipes::Answer& answer) {
    const generate::Generation& g = answer.written.generation;
    if (!answer.kept) return note("(stopped before a word was said; the question is taken back)");
    if (g.reason == generate::StopReason::kCancelled) note("(stopped)");
    if (answer.context_full)
      note(
          "(the context of {} tokens is full and the answer ends here; /undo or /clear makes room)",
          conversation_.context());
    else if (g.reason == generate::StopReason::kLength)
      note("(ended after {} tokens, as /set tokens says)", g.ids.size());
    const std::int64_t used = conversation_.used();
    const std::int64_t left = conversation_.context() - used;
    const double seconds = g.token_seconds;
    if (terminal_)
      note("[{} of {} tokens of context, {} left; {:.1f} tokens/s]", used, conversation_.context(),
           std::max<std::int64_t>(left, 0),
           seconds > 0 ? static_cast<double>(g.ids.size()) / seconds : 0.0);
  }

  void say(const std::string& message) {
    answer([&](const auto& o) { return conversation_.ask(message, o, print); });
  }

  void retry() {
    if (!conversation_.can_retry()) return note("there is nothing to ask again");
    answer([&](const auto& o) { return conversation_.retry(o, print); });
  }

  void clear() {
    conversation_.clear();
    note("the conversation is forgotten");
  }

  void undo() {
    if (!conversation_.undo()) return note("there is nothing to take back");
    note("the last question and its answer are taken back; {} messages are left",
         conversation_.messages().size());
  }

  void system(const std::string& text) {
    if (!text.empty()) conversation_.set_system(text == "-" ? "" : text);
    if (conversation_.system().empty()) return note("there is no system message");
    note("system message: {}", conversation_.system());
  }

  void set(const std::string& text) {
    if (!text.empty()) {
      const std::size_t end = text.find_first_of(" \t=");
      const std::size_t value = text.find_first_not_of(" \t=", end);
      if (value == std::string::npos)
        fail(ErrorCode::kInvalidArgument, "/set: expected a key and a value, got '{}'", text);
      Settings changed = settings_;
      apply_overrides({text.substr(0, end) + "=" + text.substr(value)}, changed);
      generate::chain_of(changed.sampler);
      if (changed.sampler.dry_multiplier != 0 && changed.sampler.dry_breakers.empty()) {
        breakers_.sampler.dry_multiplier = changed.sampler.dry_multiplier;
        changed.sampler.dry_breakers = breakers_.for_tokenizer(model_.tokenizer.get()).dry_breakers;
      }
      if (text.substr(0, end) == "seed") answers_ = 0;
      settings_ = std::move(changed);
      return;
    }
    const Tree tree = write_tree(fields_of(settings_));
    for (std::size_t i = 0; i < tree.keys.size(); ++i)
      note("{} = {}", tree.keys[i], print_json(tree.items[i]));
  }

  void show_context() {
    const std::int64_t used = conversation_.used();
    fmt::print("{} of {} tokens of context are used, {} are left\n", used, conversation_.context(),
               std::max<std::int64_t>(conversation_.context() - used, 0));
    std::fflush(stdout);
  }

  void history() const {
    for (const recipes::Message& m : conversation_.messages())
      print(fmt::format("{}: {}\n", m.role, m.content));
  }

  void save(const std::string& path) const {
    if (path.empty()) fail(ErrorCode::kInvalidArgument, "/save: expected the name of a file");
    write_file_atomically(real_files(), path, conversation_.to_json());
    note("{} messages are in {}", conversation_.messages().size(), path);
  }

  void load(const std::string& path) {
    if (path.empty()) fail(ErrorCode::kInvalidArgument, "/load: expected the name of a file");
    try {
      conversation_.set_messages(recipes::Conversation::parse(real_files().read_all(path), path));
    } catch (Error& error) {
      if (!error.message().starts_with(path)) error.within(path);
      throw;
    }
    note("{} messages, {} of {} tokens of context", conversation_.messages().size(),
         conversation_.used(), conversation_.context());
  }

  recipes::OpenedModel& model_;
  recipes::Conversation conversation_;
  Settings settings_;
  SamplingOptions breakers_;
  std::uint64_t answers_ = 0;
  bool terminal_;
  bool done_ = false;
};

/// What was asked for, or what the model was made for within reason.
std::int64_t context_of(const Options& o, const model::ModelConfig& config) {
  if (o.context == 0) return std::min(config.context, kUsualContext);
  if (o.context <= config.context) return o.context;
  if (config.kind == "gpt2")
    fail(ErrorCode::kInvalidArgument, "--context: {} is more than the {} positions of this model",
         o.context, config.context);
  log::warning("chat: a context of {} tokens reaches beyond the {} that the model was made for",
               o.context, config.context);
  return o.context;
}

void run(const Options& o) {
  o.sampling.for_tokenizer(nullptr);
  recipes::OpenedModel m = recipes::open_model(store::resolve_model(o.model), o.open, real_files());
  std::optional<std::string> given;
  if (!o.template_file.empty()) given = real_files().read_all(o.template_file);
  const recipes::ChatFormat format(m, given);
  const std::int64_t context = context_of(o, m.model->config());
  if (!format.own())
    log::warning("this model has no chat template, so it may not have learned to answer; using {}",
                 format.origin());
  Chat chat(o, m, format, context);
  note("{}, context {} of {} tokens. /help tells the commands.", m.checkpoint, context,
       m.model->config().context);
  listen_for_interrupts();
  chat.run();
}

}  // namespace

void register_chat(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("chat", "Talk with a model");
  verb->add_option("MODEL", o->model,
                   "a run folder, a checkpoint, a Hugging Face folder or a GGUF file")
      ->required();
  verb->add_option("--system", o->system, "system message");
  verb->add_option("-c,--context", o->context,
                   "tokens that fit (default: what the model was made for, at most 8192)")
      ->check(CLI::Range(8, 1 << 24));
  verb->add_option("-n,--tokens", o->tokens, "most tokens of an answer (default: what fits)")
      ->check(CLI::Range(1, 1 << 20));
  verb->add_option("--load", o->load, "go on with a conversation that /save wrote");
  verb->add_option("--template", o->template_file,
                   "chat template (Jinja file) instead of the model's");
  verb->add_option("--var", o->variables, "variable of the template: --var enable_thinking=false")
      ->allow_extra_args(false);
  o->open.add_to(*verb);
  o->sampling.add_to(*verb);
  verb->footer(
      "Messages come from the terminal or, a line each, from a pipe; /help tells the commands.\n"
      "Ctrl-C stops an answer; at an empty line Ctrl-C twice or Ctrl-D leaves.\n"
      "Examples:\n"
      "  lathe chat model.gguf\n"
      "  lathe chat hf_folder --system 'Be brief.' --temp 0.6 --context 16384\n"
      "  printf 'Hello!\\n/save talk.json\\n' | lathe chat model.gguf --seed 1");
  verb->callback([o] { run(*o); });
}

}  // namespace lathe::cli
