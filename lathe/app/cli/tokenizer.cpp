// `lathe tokenizer`: train, encode, decode.
#include "lathe/text/tokenize/tokenizer.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/format.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/progress.h"
#include "lathe/data/source.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/text/tokenize/bpe_train.h"

namespace lathe::cli {
namespace {

constexpr std::size_t kBufferBytes = 1 << 16;

struct TrainOptions {
  std::vector<std::string> files, special;
  std::string out, unit = "line";
  data::SourceOptions source;
  tokenize::BpeTrainOptions bpe;
  bool no_special = false, json = false;
};

struct CodeOptions {
  std::string tokenizer, model, file;
  bool lines = false, json = false, special = false, add_special = false;
};

void put(std::string_view bytes) { std::fwrite(bytes.data(), 1, bytes.size(), stdout); }

// ---- train ----

/// Fails now rather than after the training.
void check_out(const std::string& out) {
  if (real_files().is_directory(out))
    fail(ErrorCode::kInvalidArgument, "--out: expected a file name, got the folder '{}'; say '{}'",
         out, join_path(out, "tokenizer.json"));
  if (!real_files().is_directory(parent_path(out)))
    fail(ErrorCode::kNotFound, "--out: there is no folder '{}'", parent_path(out));
}

/// The bytes of all files where none is compressed, otherwise 0: not known before reading.
std::int64_t total_bytes(const std::vector<std::string>& paths) {
  std::int64_t total = 0;
  for (const std::string& path : paths) {
    for (const std::string_view suffix : {".gz", ".xz", ".zst"})
      if (path.ends_with(suffix)) return 0;
    total += static_cast<std::int64_t>(real_files().size(path));
  }
  return total;
}

/// Calls `use` for each line of the text with its line end.
void each_line(std::string_view text, const std::function<void(std::string_view)>& use) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    use(text.substr(0, size));
    text.remove_prefix(size);
  }
}

/// Text read once for the training, with what the reader has to report.
class Corpus {
 public:
  explicit Corpus(const TrainOptions& options)
      : options_(options), paths_(data::expand_paths(options.files)) {}

  std::int64_t bytes() const { return total_bytes(paths_); }

  void read(const std::function<void(std::string_view)>& use) {
    for (const std::string& path : paths_) {
      const bool by_line =
          options_.unit == "line" && data::format_of(path, options_.source) == data::Format::kText;
      report.add(data::for_each_document({path}, options_.source, [&](std::string_view text) {
        if (by_line) return each_line(text, use);
        use(text);
      }));
    }
  }

  data::Report report;

 private:
  const TrainOptions& options_;
  std::vector<std::string> paths_;
};

/// Two bars, one after the other: reading, then merging.
class TrainBars {
 public:
  explicit TrainBars(std::int64_t bytes) {
    bar_.emplace(
        Progress::Options{.what = "counting words", .total = bytes, .unit = ProgressUnit::bytes});
  }
  void show(const tokenize::TrainProgress& progress) {
    if (progress.merging && !merging_) {
      merging_ = true;
      bar_.emplace(Progress::Options{.what = "merging pairs", .total = progress.goal});
      done_ = 0;
    }
    const std::int64_t now = progress.merging ? progress.vocab : progress.bytes;
    if (now > done_) bar_->add(now - done_);
    done_ = std::max(done_, now);
  }
  void close() { bar_.reset(); }

 private:
  std::optional<Progress> bar_;
  std::int64_t done_ = 0;
  bool merging_ = false;
};

void print_trained(const TrainOptions& options, const tokenize::Tokenizer& tokenizer,
                   const data::Report& report) {
  if (options.json) {
    Tree tree = Tree::table();
    tree.add("path", Tree::of(options.out));
    tree.add("vocab", Tree::of(tokenizer.vocab_size()));
    tree.add("documents", Tree::of(report.documents));
    tree.add("text_bytes", Tree::of(report.text_bytes));
    tree.add("skipped", Tree::of(report.skipped()));
    fmt::print("{}\n", print_json(tree));
    return;
  }
  fmt::print("{}: {} tokens from {} of text in {} documents\n", options.out, tokenizer.vocab_size(),
             human_bytes(static_cast<double>(report.text_bytes)),
             human_count(static_cast<double>(report.documents)));
}

void train(TrainOptions& options) {
  options.source.validate();
  check_out(options.out);
  if (!options.special.empty()) options.bpe.special_tokens = options.special;
  if (options.no_special) options.bpe.special_tokens.clear();
  Corpus corpus(options);
  TrainBars bars(corpus.bytes());
  options.bpe.progress = [&](const tokenize::TrainProgress& progress) { bars.show(progress); };
  const auto tokenizer = tokenize::train_bpe(
      options.bpe, [&](const std::function<void(std::string_view)>& use) { corpus.read(use); });
  bars.close();
  for (int i = 0; i < data::kIssueCount; ++i) {
    const auto issue = static_cast<data::Issue>(i);
    if (data::is_fault(issue) && corpus.report[issue].count > 0)
      log::warning("{} documents or lines left out: {} ({})", corpus.report[issue].count,
                   data::name(issue), corpus.report[issue].examples.front());
  }
  if (corpus.report.text_bytes == 0)
    fail(ErrorCode::kInvalidArgument, "tokenizer train: expected text, got none in these files");
  if (tokenizer->vocab_size() < options.bpe.vocab_size)
    log::warning("the text has pairs for {} tokens only, not {}", tokenizer->vocab_size(),
                 options.bpe.vocab_size);
  tokenize::save_tokenizer(*tokenizer, options.out);
  print_trained(options, *tokenizer, corpus.report);
}

// ---- encode and decode ----

std::string read_standard_input() {
  std::string all;
  char buffer[kBufferBytes];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, stdin)) all.append(buffer, n);
  if (std::ferror(stdin)) fail_with_errno(errno, "read standard input");
  return all;
}

std::string read_input(const CodeOptions& options) {
  const bool from_stdin = options.file.empty() || options.file == "-";
  return from_stdin ? read_standard_input() : real_files().read_all(options.file);
}

/// Calls `use` with the whole input, or with each of its lines without line end.
template <typename Use>
void each_record(const CodeOptions& options, std::string_view input, const Use& use) {
  if (!options.lines) return use(input);
  Progress progress({.what = "lines",
                     .total = static_cast<std::int64_t>(input.size()),
                     .unit = ProgressUnit::bytes});
  each_line(input, [&](std::string_view line) {
    progress.add(static_cast<std::int64_t>(line.size()));
    if (line.ends_with('\n')) line.remove_suffix(1);
    use(line);
  });
}

std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const CodeOptions& options) {
  if (options.model.empty() == options.tokenizer.empty())
    fail(ErrorCode::kInvalidArgument,
         "tokenizer: expected one of --tokenizer FILE and --model MODEL");
  if (options.model.empty()) return tokenize::load_tokenizer(options.tokenizer);
  auto found = recipes::open_tokenizer(store::resolve_model(options.model), real_files());
  if (found == nullptr)
    fail(ErrorCode::kNotFound,
         "{}: there is no tokenizer with this model; give one with --tokenizer", options.model);
  return found;
}

void encode(const CodeOptions& options) {
  const auto tokenizer = open_tokenizer(options);
  const std::string input = read_input(options);
  std::vector<std::int32_t> ids;
  std::string out;
  each_record(options, input, [&](std::string_view text) {
    ids.clear();
    if (options.add_special) {
      ids = tokenizer->encode_sequence(text, options.special);
    } else {
      tokenizer->encode_to(text, options.special, ids);
    }
    out = options.json ? "{\"ids\":[" : "";
    const char between = options.json ? ',' : ' ';
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i != 0) out += between;
      const fmt::format_int digits(ids[i]);
      out.append(digits.data(), digits.size());
      if (out.size() < kBufferBytes) continue;
      put(out);
      out.clear();
    }
    out += options.json ? "]}\n" : "\n";
    put(out);
  });
}

std::string source_name(const CodeOptions& options) {
  return options.file.empty() || options.file == "-" ? "standard input" : options.file;
}

/// Ids with white space or commas between; {"ids": [...]} and [...] as `encode --json` writes them.
std::vector<std::int32_t> read_ids(const CodeOptions& options, std::string_view text) {
  std::vector<std::int32_t> ids;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    const Tree tree = parse_json(text, source_name(options));
    const Tree* list = tree.find("ids");
    if (list == nullptr || list->kind != Tree::Kind::array)
      fail(ErrorCode::kInvalidArgument, "{}: expected {{\"ids\": [...]}}, got another object",
           source_name(options));
    for (const Tree& item : list->items) {
      if (item.kind != Tree::Kind::integer ||
          item.integer != static_cast<std::int32_t>(item.integer))
        fail(ErrorCode::kInvalidArgument, "{}: expected a token id, got {}", source_name(options),
             describe(item));
      ids.push_back(static_cast<std::int32_t>(item.integer));
    }
    return ids;
  }
  constexpr std::string_view kBetween = " \t\r\n,[]";
  while (true) {
    const std::size_t begin = text.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) return ids;
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_first_of(kBetween));
    std::int32_t id = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size())
      fail(ErrorCode::kInvalidArgument, "{}: expected a token id, got '{}'", source_name(options),
           word.substr(0, 40));
    ids.push_back(id);
    text.remove_prefix(word.size());
  }
}

void decode(const CodeOptions& options) {
  const auto tokenizer = open_tokenizer(options);
  const std::string input = read_input(options);
  each_record(options, input, [&](std::string_view record) {
    std::string text = tokenizer->decode(read_ids(options, record));
    if (options.json) {
      Tree tree = Tree::table();
      tree.add("text", Tree::of(std::move(text)));
      text = print_json(tree) + "\n";
    } else if (options.lines) {
      text += '\n';
    }
    put(text);
  });
}

// ---- registration ----

void add_train(CLI::App& tokenizer) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* verb = tokenizer.add_subcommand("train", "Learn a byte-level BPE from text");
  verb->add_option("FILES", options->files,
                   ".txt and .jsonl files (also .gz, .xz, .zst), folders and globs")
      ->required();
  verb->add_option("--vocab", options->bpe.vocab_size,
                   "number of tokens, the 256 bytes and the special ones included")
      ->required();
  verb->add_option("--out", options->out, "the tokenizer.json to write")->required();
  verb->add_option("--pattern", options->bpe.pattern,
                   "how text is cut into words: gpt2, gpt4, o200k or a regular expression")
      ->capture_default_str();
  verb->add_option("--special", options->special,
                   "special tokens, ids from 0 (default: <|endoftext|>)");
  verb->add_flag("--no-special", options->no_special, "no special tokens");
  verb->add_option("--min-frequency", options->bpe.min_frequency,
                   "leave pairs alone that stand less often")
      ->capture_default_str();
  verb->add_option("--json-field", options->source.field, "the field of a JSONL object to read")
      ->capture_default_str();
  verb->add_option("--format", options->source.format, "of the files; auto goes by their names")
      ->check(CLI::IsMember({"auto", "txt", "jsonl"}))
      ->capture_default_str();
  verb->add_option("--unit", options->unit,
                   "no token reaches across: a line (of .txt files) or a document")
      ->check(CLI::IsMember({"line", "document"}))
      ->capture_default_str();
  verb->add_option("--policy", options->source.policy, "a faulty document: fail or skip")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str();
  verb->add_flag("--json", options->json, "print what was made as JSON");
  verb->footer(
      "Examples:\n"
      "  lathe tokenizer train books/ --vocab 32000 --out tokenizer.json\n"
      "  lathe tokenizer train 'data/*.jsonl.xz' --vocab 16384 --pattern gpt4 --out t.json \\\n"
      "      --special '<|endoftext|>' '<|user|>' '<|assistant|>'\n"
      "The merges are those that Hugging Face tokenizers finds on the same text: on the files of\n"
      "--unit line with train(files), on the documents otherwise with train_from_iterator().");
  verb->callback([options] { train(*options); });
}

CLI::App* add_code(CLI::App& tokenizer, const char* name, const char* what,
                   const std::shared_ptr<CodeOptions>& options) {
  CLI::App* verb = tokenizer.add_subcommand(name, what);
  verb->add_option(
      "--tokenizer", options->tokenizer,
      "a tokenizer.json, a folder that holds one, a .tiktoken file or a\nSentencePiece .model");
  verb->add_option("--model", options->model,
                   "the tokenizer of a model: a run folder, a Hugging "
                   "Face folder or a GGUF file");
  verb->add_option("FILE", options->file, "the input (default: standard input)");
  verb->add_flag("--lines", options->lines, "each line of the input by itself");
  return verb;
}

void add_encode(CLI::App& tokenizer) {
  const auto options = std::make_shared<CodeOptions>();
  CLI::App* verb =
      add_code(tokenizer, "encode", "Text to ids, on one line with spaces between", options);
  verb->add_flag("--json", options->json, "print {\"ids\":[...]}");
  verb->add_flag("--special", options->special,
                 "names of special tokens in the text are those tokens, not characters");
  verb->add_flag("--add-special", options->add_special,
                 "also the tokens that the file puts before and after a text");
  verb->footer(
      "Examples:\n"
      "  echo -n 'Once upon a time' | lathe tokenizer encode --tokenizer tokenizer.json\n"
      "  lathe tokenizer encode --model model.gguf --special prompt.txt\n"
      "  lathe tokenizer encode --tokenizer runs/first --lines --json lines.txt > ids.jsonl");
  verb->callback([options] { encode(*options); });
}

void add_decode(CLI::App& tokenizer) {
  const auto options = std::make_shared<CodeOptions>();
  CLI::App* verb = add_code(tokenizer, "decode", "Ids to text, byte for byte", options);
  verb->add_flag("--json", options->json,
                 "print {\"text\":\"...\"}; bytes that are not UTF-8 are replaced there");
  verb->footer(
      "Ids stand with spaces, commas or line ends between, or as {\"ids\":[...]}.\n"
      "Examples:\n"
      "  echo '7454 2402 257 640' | lathe tokenizer decode --tokenizer tokenizer.json\n"
      "  lathe tokenizer decode --tokenizer tokenizer.json --lines ids.jsonl");
  verb->callback([options] { decode(*options); });
}

}  // namespace

void register_tokenizer(CLI::App& root) {
  CLI::App* tokenizer =
      root.add_subcommand("tokenizer", "Train tokenizers; turn text into ids and back");
  tokenizer->require_subcommand(1);
  add_train(*tokenizer);
  add_encode(*tokenizer);
  add_decode(*tokenizer);
}

}  // namespace lathe::cli
