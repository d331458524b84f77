#include "lathe/text/tokenize/regex_dialect.h"

#include <fmt/core.h>

#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/code_ranges.h"

namespace lathe::tokenize {
namespace {

constexpr std::size_t kLongestPattern = 64 * 1024;
constexpr int kMostClasses = 1000;  // PCRE2 takes about a hundred
constexpr int kDeepestSet = 16;

class Rewriter {
 public:
  explicit Rewriter(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    // To Oniguruma a flag holds to the end of its group, alternatives included; to PCRE2 as well,
    // but between the same bars. At the very start both mean the whole pattern.
    const bool folds = next_is("(?i)");
    if (folds) {
      out_ = "(?i:";
      p_ = 4;
      folds_all_ = true;
    }
    while (p_ < in_.size()) step();
    if (folds) out_ += ')';
    if (!has_borders_) return std::move(out_);
    return "(?(DEFINE)(?<word>[" + spelled(word_ranges(false)) + "]))" + out_;
  }

 private:
  void step() {
    switch (in_[p_]) {
      case '\\':
        return escape(false);
      case '[':
        return set();
      case '(':
        return group();
      case ')':
        if (folds_.empty())
          fail(ErrorCode::kInvalidArgument, "pattern '{}': ) at byte {} closes nothing", in_, p_);
        folds_.pop_back();
        return copy(1);
      case '{':
        if (next_is("{,")) unsupported("{,");
        return copy(1);
      case '}':
        if (next_is("}+")) unsupported("}+");  // possessive, or a repeated repetition
        return copy(1);
      default:
        return copy(1);
    }
  }

  [[noreturn]] void unsupported(std::string_view what) const {
    fail(ErrorCode::kUnsupported,
         "pattern '{}': '{}' at byte {} is read differently by different libraries, or not at all",
         in_, what, p_);
  }
  [[noreturn]] void cut_off(std::string_view what) const {
    fail(ErrorCode::kInvalidArgument, "pattern '{}': {} without an end", in_, what);
  }

  void copy(std::size_t n) {
    out_ += in_.substr(p_, n);
    p_ += n;
  }
  bool next_is(std::string_view text) const { return in_.substr(p_, text.size()) == text; }
  bool folds() const { return folds_.empty() ? folds_all_ : folds_.back(); }

  void group() {
    if (!next_is("(?")) {
      folds_.push_back(folds());
      return copy(1);
    }
    for (const std::string_view head : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
      if (!next_is(head)) continue;
      folds_.push_back(folds() || head == "(?i:");
      return copy(head.size());
    }
    unsupported(in_.substr(p_, 4));
  }

  /// Whether the set that begins here has neither sets inside nor intersections.
  bool is_plain_set() const {
    for (std::size_t i = p_ + 1; i < in_.size() && in_[i] != ']'; ++i) {
      if (in_[i] == '[' || in_.substr(i, 2) == "&&") return false;
      if (in_[i] == '\\') ++i;
    }
    return true;
  }

  void set() {
    if (!is_plain_set()) {
      // What folding does to a part of an intersection, nobody says.
      if (folds()) unsupported("&& or [ inside [] under (?i:");
      const CodeRanges ranges = read_set(0);
      out_ += ranges.empty() ? "[^\\x{0}-\\x{10ffff}]" : '[' + spelled(ranges) + ']';
      return;
    }
    copy(1);
    if (next_is("^")) copy(1);
    if (next_is("]")) unsupported("[]");
    while (true) {
      if (p_ >= in_.size()) cut_off("[");
      if (next_is("]")) break;
      if (next_is("\\")) {
        escape(true);
      } else {
        copy(1);
      }
    }
    copy(1);
  }

  /// A set with its parts computed: unions bind tighter than &&, and ^ takes back everything.
  CodeRanges read_set(int depth) {
    if (depth > kDeepestSet) unsupported("[ inside [ inside [");
    ++p_;
    const bool negated = next_is("^");
    if (negated) ++p_;
    std::optional<CodeRanges> both;
    CodeRanges part;
    bool empty = true;  // nothing in this part so far
    while (true) {
      if (p_ >= in_.size()) cut_off("[");
      const bool ends = next_is("]"), meets = next_is("&&");
      if (!ends && !meets) {
        read_member(part, empty, depth);
        empty = false;
        continue;
      }
      if (empty) unsupported(ends ? "[] or && without a right side" : "&& without a left side");
      part = normalised(std::move(part));
      both = both ? intersection(*both, part) : std::move(part);
      part.clear();
      empty = true;
      p_ += ends ? 1 : 2;
      if (ends) break;
    }
    return negated ? complement(*both) : *both;
  }

  /// A set in a set, a class, a character or a range of them.
  void read_member(CodeRanges& part, bool first, int depth) {
    if (next_is("[:")) unsupported("[:");
    std::optional<CodeRanges> ranges;
    if (next_is("[")) {
      ranges = read_set(depth + 1);
    } else if (next_is("\\")) {
      ranges = class_escape(true);
    } else if (next_is("-") && !first && p_ + 1 < in_.size() && in_[p_ + 1] != ']') {
      unsupported("- between two ranges");
    }
    if (ranges) {
      if (next_is("-") && p_ + 1 < in_.size() && in_[p_ + 1] != ']') unsupported("- after a class");
      part.insert(part.end(), ranges->begin(), ranges->end());
      return;
    }
    const CodePoint from = read_char();
    CodePoint to = from;
    if (next_is("-") && p_ + 1 < in_.size() && in_[p_ + 1] != ']') {
      ++p_;
      if (next_is("[") || next_is("&&") || (next_is("\\") && is_class(in_.substr(p_, 2))))
        unsupported("- before a class");
      to = read_char();
    }
    if (to < from) fail(ErrorCode::kInvalidArgument, "pattern '{}': a range ends first", in_);
    if (from < 0xE000 && to > 0xD7FF) {
      if (from < 0xD800) part.push_back({from, 0xD7FF});
      if (to > 0xDFFF) part.push_back({0xE000, to});
      return;
    }
    part.push_back({from, to});
  }

  /// One character of a set, spelt or escaped.
  CodePoint read_char() {
    if (p_ >= in_.size()) cut_off("[");
    if (in_[p_] != '\\') {
      const std::size_t size = valid_char_size(in_.substr(p_));
      if (size == 0) fail(ErrorCode::kInvalidArgument, "pattern: not UTF-8");
      const CodePoint c = decode_valid(in_.data() + p_).code;
      p_ += size;
      return c;
    }
    if (p_ + 1 >= in_.size()) cut_off("\\");
    const char c = in_[p_ + 1];
    if (c == 'x' || c == 'u') {
      const std::string_view digits = hexadecimal();
      std::uint32_t value = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) unsupported(digits);
      return value;
    }
    constexpr std::string_view kNames = "rntfv", kValues = "\r\n\t\f\v";
    const std::size_t at = kNames.find(c);
    if (at == std::string_view::npos && (std::isalnum(static_cast<unsigned char>(c)) || c < 0))
      unsupported(in_.substr(p_, 2));
    p_ += 2;
    return static_cast<CodePoint>(at == std::string_view::npos ? c : kValues[at]);
  }

  static bool is_class(std::string_view escape) {
    return escape.size() == 2 && std::string_view("pPsSdDwWhH").find(escape[1]) < 10;
  }

  /// \p{..}, \s, \d, \w, \h and their opposites; nothing for other escapes.
  std::optional<CodeRanges> class_escape(bool in_set) {
    if (!is_class(in_.substr(p_, 2))) return std::nullopt;
    const char c = in_[p_ + 1];
    if (c == 'p' || c == 'P') return property();
    const char kind = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const CodeRanges& ranges = named(kind == 'w' && in_set ? "[\\w]" : std::string{'\\', kind});
    p_ += 2;
    return c == kind ? ranges : complement(ranges);
  }

  /// A property, or a class under a name that none has. Each is made once.
  const CodeRanges& named(const std::string& name) {
    if (++classes_ > kMostClasses)
      fail(ErrorCode::kInvalidArgument, "pattern '{}...': more than {} classes", in_.substr(0, 100),
           kMostClasses);
    const auto known = classes_made_.find(name);
    if (known != classes_made_.end()) return known->second;
    std::optional<CodeRanges> ranges;
    if (name == "\\s") ranges = space_ranges();
    if (name == "\\d") ranges = property_ranges("Nd");
    if (name == "\\w" || name == "[\\w]") ranges = word_ranges(name.size() > 2);
    if (name == "\\h") ranges = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
    if (!ranges) ranges = property_ranges(name);
    if (!ranges) unsupported("\\p{" + name + "}");
    return classes_made_.emplace(name, std::move(*ranges)).first->second;
  }

  void escape(bool in_set) {
    if (p_ + 1 >= in_.size()) cut_off("\\");
    if (const auto ranges = class_escape(in_set)) {
      out_ += in_set ? spelled(*ranges) : '[' + spelled(*ranges) + ']';
      return;
    }
    const char c = in_[p_ + 1];
    if (c == 'x' || c == 'u') {
      out_ += fmt::format("\\x{{{}}}", hexadecimal());
      return;
    }
    if (c == 'v') {  // in Oniguruma the one character; in PCRE2 every vertical space
      out_ += "\\x0b";
      p_ += 2;
      return;
    }
    if (!in_set && (c == 'b' || c == 'B')) return word_border(c == 'B');
    const std::string_view alike = in_set ? "rntf" : "rntfAzZ";
    if (std::isalnum(static_cast<unsigned char>(c)) && alike.find(c) == std::string_view::npos)
      unsupported(in_.substr(p_, 2));
    copy(2);
  }

  /// \b, which PCRE2 has, too, but of other words. They are many ranges: spelled once, in front.
  void word_border(bool negated) {
    has_borders_ = true;
    out_ += negated ? "(?(?=(?&word))(?<=(?&word))|(?<!(?&word)))"
                    : "(?(?=(?&word))(?<!(?&word))|(?<=(?&word)))";
    p_ += 2;
  }

  CodeRanges property() {
    bool negated = in_[p_ + 1] == 'P';
    std::string_view name;
    std::size_t size = 3;
    if (p_ + 2 < in_.size() && in_[p_ + 2] == '{') {
      const std::size_t end = in_.find('}', p_);
      if (end == std::string_view::npos) cut_off("\\p{");
      name = in_.substr(p_ + 3, end - p_ - 3);
      size = end + 1 - p_;
    } else {
      name = in_.substr(p_ + 2, 1);
    }
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    if (name.starts_with('\\')) unsupported(in_.substr(p_, size));
    const CodeRanges& ranges = named(std::string(name));
    p_ += size;
    return negated ? complement(ranges) : ranges;
  }

  /// The digits of \xHH, \x{H..}, \uHHHH.
  std::string_view hexadecimal() {
    std::string_view digits;
    std::size_t size;
    if (p_ + 2 < in_.size() && in_[p_ + 2] == '{') {
      const std::size_t end = in_.find('}', p_);
      if (end == std::string_view::npos) cut_off("\\x{");
      digits = in_.substr(p_ + 3, end - p_ - 3);
      size = end + 1 - p_;
    } else {
      const std::size_t wanted = in_[p_ + 1] == 'x' ? 2 : 4;
      digits = in_.substr(p_ + 2, wanted);
      size = 2 + wanted;
      if (digits.size() != wanted) cut_off("\\x");
    }
    if (digits.empty() || digits.size() > 6) unsupported(in_.substr(p_, size));
    for (const char c : digits)
      if (!std::isxdigit(static_cast<unsigned char>(c))) unsupported(in_.substr(p_, size));
    p_ += size;
    return digits;
  }

  std::string_view in_;
  std::size_t p_ = 0;
  std::string out_;
  bool has_borders_ = false, folds_all_ = false;
  std::vector<bool> folds_;  // for each open group: whether letter case is ignored
  int classes_ = 0;
  std::map<std::string, CodeRanges> classes_made_;
};

}  // namespace

std::string rewrite_for_pcre2(std::string_view pattern) {
  if (pattern.size() > kLongestPattern)
    fail(ErrorCode::kInvalidArgument, "pattern: expected at most {} bytes, got {}", kLongestPattern,
         pattern.size());
  return Rewriter(pattern).run();
}

}  // namespace lathe::tokenize
