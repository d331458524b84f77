#include "lathe/text/tokenize/pre_tokenizer.h"

#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/json_fields.h"

namespace lathe::tokenize {
namespace {

/// Collects spans, moved by where the text that is cut stands.
class Collect final : public SpanSink {
 public:
  explicit Collect(std::vector<Span>& out) : out_(out) {}
  void stand_at(std::size_t offset) { offset_ = offset; }

 protected:
  void take(std::span<const Span> spans) override {
    for (const Span span : spans) out_.push_back({span.begin + offset_, span.end + offset_});
  }

 private:
  std::vector<Span>& out_;
  std::size_t offset_ = 0;
};

class SplitStage final : public PreTokenizer {
 public:
  explicit SplitStage(std::unique_ptr<Splitter> splitter) : splitter_(std::move(splitter)) {}

  void apply(Pieces& pieces) const override {
    std::vector<Span> cut;
    cut.reserve(pieces.spans.size() * 2);
    Collect collect(cut);
    for (const Span span : pieces.spans) {
      collect.stand_at(span.begin);
      splitter_->split(std::string_view(pieces.text).substr(span.begin, span.end - span.begin),
                       collect);
    }
    pieces.spans = std::move(cut);
  }

 private:
  std::unique_ptr<Splitter> splitter_;
};

/// Rewrites each piece by itself: `put(piece, is_first, out)` appends what it becomes.
template <typename Put>
void rewrite(Pieces& pieces, const Put& put) {
  std::string out;
  out.reserve(pieces.text.size() + pieces.text.size() / 2);
  std::size_t head = 0;
  for (Span& span : pieces.spans) {
    const std::string_view piece =
        std::string_view(pieces.text).substr(span.begin, span.end - span.begin);
    const bool is_first = span.begin < pieces.head;
    const Span before = span;
    span.begin = out.size();
    put(piece, is_first, out);
    span.end = out.size();
    // What comes from the first character is at least the beginning of its piece.
    if (is_first && before.end <= pieces.head) head = span.end;
    if (is_first && before.end > pieces.head) head = span.begin + 1;
  }
  pieces.text = std::move(out);
  pieces.head = head;
}

enum class Prepend { kAlways, kFirst, kNever };

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(CodePoint replacement, Prepend prepend, bool split) : prepend_(prepend) {
    append_utf8(replacement, mark_);
    if (split)
      split_ = std::make_unique<SplitStage>(
          make_character_splitter(replacement, MatchUse::kMergedWithNext));
  }

  void apply(Pieces& pieces) const override {
    rewrite(pieces, [this](std::string_view piece, bool is_first, std::string& out) {
      const bool has_mark = piece.starts_with(' ') || piece.starts_with(mark_);
      if (!has_mark && (prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && is_first)))
        out += mark_;
      for (std::size_t space; (space = piece.find(' ')) != std::string_view::npos;) {
        out += piece.substr(0, space);
        out += mark_;
        piece.remove_prefix(space + 1);
      }
      out += piece;
    });
    if (split_ != nullptr) split_->apply(pieces);
  }

 private:
  std::string mark_;
  Prepend prepend_;
  std::unique_ptr<SplitStage> split_;
};

class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
    if (use_regex) split_ = std::make_unique<SplitStage>(make_gpt2_splitter());
  }

  void apply(Pieces& pieces) const override {
    if (add_prefix_space_) {
      rewrite(pieces, [](std::string_view piece, bool, std::string& out) {
        if (!piece.starts_with(' ')) out += ' ';
        out += piece;
      });
    }
    if (split_ != nullptr) split_->apply(pieces);
    rewrite(pieces,
            [](std::string_view piece, bool, std::string& out) { out += to_alphabet(piece); });
  }

 private:
  bool add_prefix_space_;
  std::unique_ptr<SplitStage> split_;
};

class Sequence final : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> parts) : parts_(std::move(parts)) {}

  void apply(Pieces& pieces) const override {
    for (const auto& part : parts_) part->apply(pieces);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

MatchUse read_behavior(const Json& part, const std::string& path, const char* otherwise) {
  const std::string behavior = text_or(part, "behavior", path, otherwise);
  if (behavior == "Isolated") return MatchUse::kIsolated;
  if (behavior == "Removed") return MatchUse::kRemoved;
  if (behavior == "MergedWithPrevious") return MatchUse::kMergedWithPrevious;
  if (behavior == "MergedWithNext") return MatchUse::kMergedWithNext;
  if (behavior == "Contiguous") return MatchUse::kContiguous;
  unsupported(path + ".behavior", behavior,
              "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

std::unique_ptr<Splitter> read_split(const Json& part, const std::string& path) {
  only_keys(part, path, {"type", "pattern", "behavior", "invert"});
  const Json& pattern = part.get("pattern", path);
  only_keys(pattern, path + ".pattern", {"Regex", "String"});
  const MatchUse use = read_behavior(part, path, "");
  const bool invert = flag(part, "invert", path, false);
  const Json& regex = pattern.get("Regex", path);
  if (!regex.is_null())
    return make_pattern_splitter(regex.as_string(path + ".pattern.Regex"), use, invert);
  return make_string_splitter(text(pattern, "String", path + ".pattern"), use, invert);
}

std::unique_ptr<PreTokenizer> read_metaspace(const Json& part, const std::string& path) {
  only_keys(part, path,
            {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
  Prepend prepend = Prepend::kAlways;
  const std::string scheme = text_or(part, "prepend_scheme", path, "");
  if (scheme == "first") {
    prepend = Prepend::kFirst;
  } else if (scheme == "never") {
    prepend = Prepend::kNever;
  } else if (!scheme.empty() && scheme != "always") {
    unsupported(path + ".prepend_scheme", scheme, "always, first or never");
  }
  // What old files have instead.
  if (scheme.empty() && !flag(part, "add_prefix_space", path, true)) prepend = Prepend::kNever;
  return std::make_unique<Metaspace>(character(part, "replacement", path), prepend,
                                     flag(part, "split", path, true));
}

}  // namespace

std::unique_ptr<Splitter> read_splitter(const Json& part, const std::string& path) {
  const std::string& type = type_of(part, path);
  if (type == "Split") return read_split(part, path);
  if (type == "Digits") {
    only_keys(part, path, {"type", "individual_digits"});
    return make_digits_splitter(flag(part, "individual_digits", path, false));
  }
  if (type == "Punctuation") {
    only_keys(part, path, {"type", "behavior"});
    return make_punctuation_splitter(read_behavior(part, path, "Isolated"));
  }
  if (type == "CharDelimiterSplit") {
    only_keys(part, path, {"type", "delimiter"});
    return make_character_splitter(character(part, "delimiter", path), MatchUse::kRemoved);
  }
  if (type == "FixedLength") {
    only_keys(part, path, {"type", "length"});
    return make_fixed_length_splitter(integer(part, "length", path, 5));
  }
  std::unique_ptr<Splitter> plain;
  if (type == "Whitespace") plain = make_words_splitter();
  if (type == "WhitespaceSplit") plain = make_white_space_splitter();
  if (type == "BertPreTokenizer") plain = make_bert_splitter();
  if (type == "UnicodeScripts") plain = make_script_splitter();
  if (plain != nullptr) only_keys(part, path, {"type"});
  return plain;
}

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& part, const std::string& path) {
  if (part.is_null()) return nullptr;
  const std::string& type = type_of(part, path);
  if (type == "Sequence") {
    only_keys(part, path, {"type", "pretokenizers"});
    std::vector<std::unique_ptr<PreTokenizer>> parts;
    each_part(part, "pretokenizers", path, [&](const Json& inner, const std::string& at) {
      if (auto stage = read_pre_tokenizer(inner, at)) parts.push_back(std::move(stage));
    });
    return std::make_unique<Sequence>(std::move(parts));
  }
  if (type == "Metaspace") return read_metaspace(part, path);
  if (type == "ByteLevel") {
    only_keys(part, path, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    return std::make_unique<ByteLevel>(flag(part, "add_prefix_space", path, true),
                                       flag(part, "use_regex", path, true));
  }
  if (auto splitter = read_splitter(part, path))
    return std::make_unique<SplitStage>(std::move(splitter));
  unsupported(path + ".type", type, "a pre-tokenizer of tokenizers");
}

}  // namespace lathe::tokenize
