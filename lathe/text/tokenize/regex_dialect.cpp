#include "lathe/text/tokenize/regex_dialect.h"

#include <fmt/core.h>

#include <cctype>
#include <optional>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

constexpr std::size_t kLongestPattern = 64 * 1024;

template <typename Has>
std::vector<CodeRange> ranges_where(const Has& has) {
  std::vector<CodeRange> ranges;
  for (CodePoint c = 0; c < 0x110000; ++c) {
    if (c == 0xD800) c = 0xE000;  // no character, and PCRE2 refuses it
    if (!has(c)) continue;
    if (!ranges.empty() && ranges.back().last + 1 == c) {
      ranges.back().last = c;
    } else {
      ranges.push_back({c, c});
    }
  }
  return ranges;
}

/// Ranges of a property ("L", "Lu", "Han"); "s" and "d" stand for \s and \d. Nothing if unknown.
std::optional<std::vector<CodeRange>> property_ranges(std::string_view name) {
  if (name == "s") return ranges_where([](CodePoint c) { return (char_class(c) & kSpace) != 0; });
  if (name == "d") name = "Nd";
  for (const Script& script : tables::kScripts)
    if (script.name == name)
      return std::vector<CodeRange>(script.ranges.begin(), script.ranges.end());
  bool known[tables::kCategories] = {};
  bool any = false;
  for (int i = 0; i < tables::kCategories; ++i) {
    const std::string_view category = tables::kCategoryNames[i];
    known[i] = name == category || (name.size() == 1 && category[0] == name[0]);
    any |= known[i];
  }
  if (!any) return std::nullopt;
  return ranges_where([&](CodePoint c) { return known[category(c)]; });
}

std::vector<CodeRange> complement(const std::vector<CodeRange>& ranges) {
  std::vector<CodeRange> out;
  CodePoint next = 0;
  const auto add = [&](CodePoint first, CodePoint last) {
    if (first < 0xD800 && last > 0xDFFF) {
      out.push_back({first, 0xD7FF});
      out.push_back({0xE000, last});
    } else if (first <= last) {
      out.push_back({first, last});
    }
  };
  for (const CodeRange range : ranges) {
    if (range.first > next) add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next < 0x110000) add(next, 0x10FFFF);
  return out;
}

class Rewriter {
 public:
  explicit Rewriter(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    while (p_ < in_.size()) {
      switch (in_[p_]) {
        case '\\':
          escape(false);
          break;
        case '[':
          set();
          break;
        case '(':
          group();
          break;
        case '{':
          if (next_is("{,")) unsupported("{,");
          copy(1);
          break;
        case '}':
          if (next_is("}+")) unsupported("}+");  // possessive, or a repeated repetition
          copy(1);
          break;
        default:
          copy(1);
      }
    }
    return std::move(out_);
  }

 private:
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

  void group() {
    if (!next_is("(?")) {
      copy(1);
      return;
    }
    for (const std::string_view head : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
      if (!next_is(head)) continue;
      copy(head.size());
      return;
    }
    unsupported(in_.substr(p_, 4));
  }

  void set() {
    copy(1);
    if (next_is("^")) copy(1);
    if (next_is("]")) unsupported("[]");
    while (true) {
      if (p_ >= in_.size()) cut_off("[");
      if (next_is("]")) break;
      if (next_is("[")) unsupported("[ inside []");
      if (next_is("&&")) unsupported("&&");
      if (next_is("\\")) {
        escape(true);
      } else {
        copy(1);
      }
    }
    copy(1);
  }

  void escape(bool in_set) {
    if (p_ + 1 >= in_.size()) cut_off("\\");
    const char c = in_[p_ + 1];
    switch (c) {
      case 'p':
      case 'P':
        return property(in_set);
      case 's':
      case 'S':
        return named(in_set, "s", c == 'S', 2);
      case 'd':
      case 'D':
        return named(in_set, "d", c == 'D', 2);
      case 'x':
      case 'u':
        return hexadecimal();
      case 'v':  // in Oniguruma the one character; in PCRE2 every vertical space
        out_ += "\\x0b";
        p_ += 2;
        return;
      default:
        break;
    }
    if (std::isalnum(static_cast<unsigned char>(c)) &&
        std::string_view("rntf").find(c) == std::string_view::npos)
      unsupported(in_.substr(p_, 2));
    copy(2);
  }

  void property(bool in_set) {
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
    if (name == "s" || name == "d") unsupported(in_.substr(p_, size));
    named(in_set, name, negated, size);
  }

  void named(bool in_set, std::string_view name, bool negated, std::size_t size) {
    std::optional<std::vector<CodeRange>> ranges = property_ranges(name);
    if (!ranges) unsupported(in_.substr(p_, size));
    if (negated) ranges = complement(*ranges);
    if (!in_set) out_ += '[';
    for (const CodeRange range : *ranges) {
      out_ += fmt::format("\\x{{{:x}}}", range.first);
      if (range.last != range.first) out_ += fmt::format("-\\x{{{:x}}}", range.last);
    }
    if (!in_set) out_ += ']';
    p_ += size;
  }

  void hexadecimal() {
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
    out_ += fmt::format("\\x{{{}}}", digits);
    p_ += size;
  }

  std::string_view in_;
  std::size_t p_ = 0;
  std::string out_;
};

}  // namespace

std::string rewrite_for_pcre2(std::string_view pattern) {
  if (pattern.size() > kLongestPattern)
    fail(ErrorCode::kInvalidArgument, "pattern: expected at most {} bytes, got {}", kLongestPattern,
         pattern.size());
  return Rewriter(pattern).run();
}

}  // namespace lathe::tokenize
