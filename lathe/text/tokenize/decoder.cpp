#include "lathe/text/tokenize/decoder.h"

#include <utility>

#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/byte_tokens.h"
#include "lathe/text/tokenize/json_fields.h"
#include "lathe/text/tokenize/regex.h"

namespace lathe::tokenize {
namespace {

using Tokens = std::vector<std::string>;

void replace_all(std::string& text, std::string_view wanted, std::string_view content) {
  if (wanted.empty() || text.find(wanted) == std::string::npos) return;
  std::string out;
  std::size_t done = 0;
  for (std::size_t at; (at = text.find(wanted, done)) != std::string::npos;) {
    out.append(text, done, at - done);
    out += content;
    done = at + wanted.size();
  }
  out.append(text, done);
  text = std::move(out);
}

/// Takes back the spaces that BERT's way of cutting put around English punctuation.
void clean_up(std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [wanted, content] : kRules) replace_all(text, wanted, content);
}

class ByteLevelDecoder final : public Decoder {
 public:
  void apply(Tokens& tokens) const override {
    std::string text;
    for (const std::string& token : tokens) text += from_alphabet(token).value_or(token);
    tokens = {std::move(text)};
  }
};

class MetaspaceDecoder final : public Decoder {
 public:
  MetaspaceDecoder(CodePoint mark, bool prepends) : prepends_(prepends) {
    append_utf8(mark, mark_);
  }

  void apply(Tokens& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], mark_, i == 0 && prepends_ ? "" : " ");
  }

 private:
  std::string mark_;
  bool prepends_;
};

/// Byte tokens become their bytes. (Hugging Face writes U+FFFD for each byte of a run that is no
/// UTF-8; here such bytes stay what they are.)
class ByteFallbackDecoder final : public Decoder {
 public:
  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens)
      if (const auto byte = byte_of_token(token)) token = std::string(1, static_cast<char>(*byte));
  }
};

class FuseDecoder final : public Decoder {
 public:
  void apply(Tokens& tokens) const override {
    std::string text;
    for (const std::string& token : tokens) text += token;
    tokens = {std::move(text)};
  }
};

class StripDecoder final : public Decoder {
 public:
  StripDecoder(CodePoint content, std::int64_t start, std::int64_t stop)
      : start_(start), stop_(stop) {
    append_utf8(content, content_);
  }

  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) {
      for (std::int64_t i = 0; i < start_ && token.starts_with(content_); ++i)
        token.erase(0, content_.size());
      for (std::int64_t i = 0; i < stop_ && token.ends_with(content_); ++i)
        token.resize(token.size() - content_.size());
    }
  }

 private:
  std::string content_;
  std::int64_t start_, stop_;
};

class ReplaceDecoder final : public Decoder {
 public:
  ReplaceDecoder(const Json& part, const std::string& path)
      : content_(text(part, "content", path)) {
    only_keys(part, path, {"type", "pattern", "content"});
    const Json& pattern = part.get("pattern", path);
    only_keys(pattern, path + ".pattern", {"Regex", "String"});
    const Json& regex = pattern.get("Regex", path);
    if (regex.is_null()) {
      wanted_ = text(pattern, "String", path + ".pattern");
    } else {
      regex_ = std::make_unique<Regex>(regex.as_string(path + ".pattern.Regex"));
    }
  }

  void apply(Tokens& tokens) const override {
    for (std::string& token : tokens) {
      if (regex_ == nullptr) {
        replace_all(token, wanted_, content_);
      } else if (valid_prefix(token) == token.size()) {
        token = replaced(token);
      }
    }
  }

 private:
  std::string replaced(const std::string& token) const {
    std::string out;
    std::size_t done = 0;
    Regex::Matches matches(*regex_, token);
    for (Span match{}; matches.next(match); done = match.end) {
      out.append(token, done, match.begin - done);
      out += content_;
    }
    return out + token.substr(done);
  }

  std::string content_, wanted_;
  std::unique_ptr<Regex> regex_;
};

class WordPieceDecoder final : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void apply(Tokens& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0) {
        if (token.starts_with(prefix_)) {
          token.erase(0, prefix_.size());
        } else {
          token.insert(0, " ");
        }
      }
      if (cleanup_) clean_up(token);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class BpeDecoder final : public Decoder {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}

  void apply(Tokens& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

/// Connectionist temporal classification: repeated tokens are one, padding is nothing.
class CtcDecoder final : public Decoder {
 public:
  CtcDecoder(std::string padding, std::string delimiter, bool cleanup)
      : padding_(std::move(padding)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}

  void apply(Tokens& tokens) const override {
    Tokens out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i] == tokens[i - 1]) continue;
      std::string token = tokens[i];
      replace_all(token, padding_, "");
      if (cleanup_) {
        clean_up(token);
        replace_all(token, delimiter_, " ");
      }
      if (!token.empty()) out.push_back(std::move(token));
    }
    tokens = std::move(out);
  }

 private:
  std::string padding_, delimiter_;
  bool cleanup_;
};

class SequenceDecoder final : public Decoder {
 public:
  explicit SequenceDecoder(std::vector<std::unique_ptr<Decoder>> parts)
      : parts_(std::move(parts)) {}

  void apply(Tokens& tokens) const override {
    for (const auto& part : parts_) part->apply(tokens);
  }

 private:
  std::vector<std::unique_ptr<Decoder>> parts_;
};

std::unique_ptr<Decoder> read_sequence(const Json& part, const std::string& path) {
  only_keys(part, path, {"type", "decoders"});
  std::vector<std::unique_ptr<Decoder>> parts;
  each_part(part, "decoders", path, [&](const Json& inner, const std::string& at) {
    if (auto decoder = read_decoder(inner, at)) parts.push_back(std::move(decoder));
  });
  return std::make_unique<SequenceDecoder>(std::move(parts));
}

std::unique_ptr<Decoder> read_metaspace(const Json& part, const std::string& path) {
  only_keys(part, path,
            {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"});
  const bool legacy = flag(part, "add_prefix_space", path, true);
  const bool prepends =
      text_or(part, "prepend_scheme", path, legacy ? "always" : "never") != "never";
  return std::make_unique<MetaspaceDecoder>(character(part, "replacement", path), prepends);
}

}  // namespace

std::unique_ptr<Decoder> read_decoder(const Json& part, const std::string& path) {
  if (part.is_null()) return nullptr;
  const std::string& type = type_of(part, path);
  if (type == "Sequence") return read_sequence(part, path);
  if (type == "Metaspace") return read_metaspace(part, path);
  if (type == "Replace") return std::make_unique<ReplaceDecoder>(part, path);
  if (type == "ByteLevel") {
    only_keys(part, path, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    return std::make_unique<ByteLevelDecoder>();
  }
  if (type == "Strip") {
    only_keys(part, path, {"type", "content", "start", "stop"});
    return std::make_unique<StripDecoder>(character(part, "content", path),
                                          integer(part, "start", path, 0),
                                          integer(part, "stop", path, 0));
  }
  if (type == "WordPiece") {
    only_keys(part, path, {"type", "prefix", "cleanup"});
    return std::make_unique<WordPieceDecoder>(text_or(part, "prefix", path, "##"),
                                              flag(part, "cleanup", path, true));
  }
  if (type == "BPEDecoder") {
    only_keys(part, path, {"type", "suffix"});
    return std::make_unique<BpeDecoder>(text_or(part, "suffix", path, "</w>"));
  }
  if (type == "CTC") {
    only_keys(part, path, {"type", "pad_token", "word_delimiter_token", "cleanup"});
    return std::make_unique<CtcDecoder>(text_or(part, "pad_token", path, "<pad>"),
                                        text_or(part, "word_delimiter_token", path, "|"),
                                        flag(part, "cleanup", path, true));
  }
  only_keys(part, path, {"type"});
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Fuse") return std::make_unique<FuseDecoder>();
  unsupported(path + ".type", type, "a decoder of tokenizers");
}

}  // namespace lathe::tokenize
