#include "lathe/text/tokenize/normalizer.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/char_sets.h"
#include "lathe/text/tokenize/charsmap.h"
#include "lathe/text/tokenize/json_fields.h"
#include "lathe/text/tokenize/normalize.h"
#include "lathe/text/tokenize/regex.h"

namespace lathe::tokenize {
namespace {

/// Rewrites character by character: `put(code, out)` appends what the character becomes.
template <typename Put>
void map_characters(NormalText& text, const Put& put) {
  std::string out;
  out.reserve(text.text.size() + text.text.size() / 8);
  std::size_t head = 0;
  for (std::size_t p = 0; p < text.text.size();) {
    const Decoded c = decode_valid(text.text.data() + p);
    put(c.code, out);
    p += c.size;
    if (p <= text.head) head = out.size();
  }
  text.text = std::move(out);
  text.head = head;
}

void put_lower(CodePoint c, std::string& out) {
  if (c < 128) {
    out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    return;
  }
  const std::span<const CodePoint> lower = lower_case(c);
  if (lower.empty()) append_utf8(c, out);
  for (const CodePoint part : lower) append_utf8(part, out);
}

class FormNormalizer final : public Normalizer {
 public:
  explicit FormNormalizer(Form form) : form_(form) {}

  void apply(NormalText& text) const override {
    const std::size_t head = normalized(text.text.substr(0, text.head), form_).size();
    text.text = normalized(text.text, form_);
    text.head = std::min(head, text.text.size());
  }

 private:
  Form form_;
};

class Lowercase final : public Normalizer {
 public:
  void apply(NormalText& text) const override { map_characters(text, put_lower); }
};

class ByteLevelNormalizer final : public Normalizer {
 public:
  void apply(NormalText& text) const override {
    text.head = to_alphabet(std::string_view(text.text).substr(0, text.head)).size();
    text.text = to_alphabet(text.text);
  }
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  void apply(NormalText& text) const override {
    std::string& t = text.text;
    if (right_) {
      std::size_t end = 0;
      for (std::size_t p = 0; p < t.size();) {
        const Decoded c = decode_valid(t.data() + p);
        p += c.size;
        if (!kWhite.has(c.code)) end = p;
      }
      t.resize(end);
    }
    std::size_t begin = 0;
    while (left_ && begin < t.size()) {
      const Decoded c = decode_valid(t.data() + begin);
      if (!kWhite.has(c.code)) break;
      begin += c.size;
    }
    t.erase(0, begin);
    text.head = std::min(text.head - std::min(text.head, begin), t.size());
  }

 private:
  bool left_, right_;
};

/// Drops the characters of a set.
class Without final : public Normalizer {
 public:
  explicit Without(const CharSet& set) : set_(set) {}

  void apply(NormalText& text) const override {
    map_characters(text, [this](CodePoint c, std::string& out) {
      if (!set_.has(c)) append_utf8(c, out);
    });
  }

 private:
  const CharSet& set_;
};

class Nmt final : public Normalizer {
 public:
  void apply(NormalText& text) const override {
    map_characters(text, [](CodePoint c, std::string& out) {
      if (kNmtRemoved.has(c)) return;
      append_utf8(kNmtSpaces.has(c) ? ' ' : c, out);
    });
  }
};

class Bert final : public Normalizer {
 public:
  struct Options {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
  };
  explicit Bert(const Options& options) : options_(options) {}

  void apply(NormalText& text) const override {
    if (options_.clean_text) {
      map_characters(text, [](CodePoint c, std::string& out) {
        if (kBertControl.has(c)) return;
        append_utf8(kWhite.has(c) ? ' ' : c, out);
      });
    }
    if (options_.handle_chinese_chars) {
      map_characters(text, [](CodePoint c, std::string& out) {
        const bool chinese = kChinese.has(c);
        if (chinese) out += ' ';
        append_utf8(c, out);
        if (chinese) out += ' ';
      });
    }
    if (options_.strip_accents) {
      FormNormalizer(Form::kNfd).apply(text);
      Without(kNonspacingMarks).apply(text);
    }
    if (options_.lowercase) map_characters(text, put_lower);
  }

 private:
  Options options_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}

  void apply(NormalText& text) const override {
    if (text.text.empty()) return;
    text.text.insert(0, prefix_);
    if (text.head != 0) text.head += prefix_.size();
  }

 private:
  std::string prefix_;
};

class Replace final : public Normalizer {
 public:
  Replace(std::string content, std::string wanted, std::optional<std::string> pattern)
      : content_(std::move(content)), wanted_(std::move(wanted)) {
    if (pattern) regex_ = std::make_unique<Regex>(*pattern);
  }

  void apply(NormalText& text) const override {
    if (text.text.empty()) return;
    Rewriting rewriting{text, {}, 0, 0};
    if (regex_ != nullptr) {
      Regex::Matches matches(*regex_, text.text);
      for (Span match{}; matches.next(match);) rewriting.put(match, content_);
    } else if (!wanted_.empty()) {
      for (std::size_t at; (at = text.text.find(wanted_, rewriting.done)) != std::string::npos;)
        rewriting.put({at, at + wanted_.size()}, content_);
    }
    rewriting.finish();
  }

 private:
  struct Rewriting {
    NormalText& text;
    std::string out;
    std::size_t done, head;

    void keep(std::size_t end) {
      out.append(text.text, done, end - done);
      if (done < text.head) head = out.size() - (end - std::min(end, text.head));
      done = end;
    }
    void put(Span match, const std::string& content) {
      keep(match.begin);
      out += content;
      // What is put counts as coming from the last character that it replaces.
      std::size_t last = match.end;
      while (last > match.begin && (text.text[--last] & 0xC0) == 0x80) {
      }
      if (match.end > match.begin && last < text.head) head = out.size();
      done = match.end;
    }
    void finish() {
      keep(text.text.size());
      text.text = std::move(out);
      text.head = head;
    }
  };

  std::string content_, wanted_;
  std::unique_ptr<Regex> regex_;
};

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}

  void apply(NormalText& text) const override {
    for (const auto& part : parts_) part->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(Charsmap map) : map_(std::move(map)) {}

  void apply(NormalText& text) const override {
    const bool at_start = text.head != 0;
    std::size_t head = 0;
    std::string out = map_.by_graphemes(text.text, text.head, head);
    // A first character that is dropped leaves its place to the next one.
    if (at_start && head == 0 && !out.empty()) head = decode_valid(out.data()).size;
    text.text = std::move(out);
    text.head = head;
  }

 private:
  Charsmap map_;
};

std::unique_ptr<Normalizer> read_bert(const Json& part, const std::string& path) {
  only_keys(part, path,
            {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
  const bool lowercase = flag(part, "lowercase", path, true);
  return std::make_unique<Bert>(Bert::Options{
      .clean_text = flag(part, "clean_text", path, true),
      .handle_chinese_chars = flag(part, "handle_chinese_chars", path, true),
      .strip_accents = flag(part, "strip_accents", path, lowercase),
      .lowercase = lowercase,
  });
}

std::unique_ptr<Normalizer> read_replace(const Json& part, const std::string& path) {
  only_keys(part, path, {"type", "pattern", "content"});
  const Json& pattern = part.get("pattern", path);
  only_keys(pattern, path + ".pattern", {"Regex", "String"});
  const std::string& content = text(part, "content", path);
  const Json& regex = pattern.get("Regex", path);
  if (!regex.is_null())
    return std::make_unique<Replace>(content, "", regex.as_string(path + ".pattern.Regex"));
  return std::make_unique<Replace>(content, text(pattern, "String", path + ".pattern"),
                                   std::nullopt);
}

std::unique_ptr<Normalizer> read_charsmap(const Json& part, const std::string& path) {
  only_keys(part, path, {"type", "precompiled_charsmap"});
  const Json& map = part.get("precompiled_charsmap", path);
  if (map.is_null()) return std::make_unique<Sequence>(std::vector<std::unique_ptr<Normalizer>>{});
  const std::string at = path + ".precompiled_charsmap";
  const std::optional<std::string> bytes = from_base64(map.as_string(at));
  if (!bytes) fail(ErrorCode::kCorrupt, "{}: expected base64, got something else", at);
  return std::make_unique<Precompiled>(Charsmap(*bytes, at));
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const Json& part, const std::string& path) {
  if (part.is_null()) return nullptr;
  const std::string& type = type_of(part, path);
  if (type == "Sequence") {
    only_keys(part, path, {"type", "normalizers"});
    std::vector<std::unique_ptr<Normalizer>> parts;
    each_part(part, "normalizers", path, [&](const Json& inner, const std::string& at) {
      if (auto normalizer = read_normalizer(inner, at)) parts.push_back(std::move(normalizer));
    });
    return std::make_unique<Sequence>(std::move(parts));
  }
  if (type == "BertNormalizer") return read_bert(part, path);
  if (type == "Replace") return read_replace(part, path);
  if (type == "Precompiled") return read_charsmap(part, path);
  if (type == "Strip") {
    only_keys(part, path, {"type", "strip_left", "strip_right"});
    return std::make_unique<Strip>(flag(part, "strip_left", path, true),
                                   flag(part, "strip_right", path, true));
  }
  if (type == "Prepend") {
    only_keys(part, path, {"type", "prepend"});
    return std::make_unique<Prepend>(text(part, "prepend", path));
  }
  only_keys(part, path, {"type"});
  if (type == "NFC") return std::make_unique<FormNormalizer>(Form::kNfc);
  if (type == "NFD") return std::make_unique<FormNormalizer>(Form::kNfd);
  if (type == "NFKC") return std::make_unique<FormNormalizer>(Form::kNfkc);
  if (type == "NFKD") return std::make_unique<FormNormalizer>(Form::kNfkd);
  if (type == "Lowercase") return std::make_unique<Lowercase>();
  if (type == "StripAccents") return std::make_unique<Without>(kCombiningMarks);
  if (type == "Nmt") return std::make_unique<Nmt>();
  if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
  unsupported(path + ".type", type, "a normalizer of tokenizers");
}

}  // namespace lathe::tokenize
