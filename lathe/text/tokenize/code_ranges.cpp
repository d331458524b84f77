#include "lathe/text/tokenize/code_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace lathe::tokenize {
namespace {

template <typename Has>
CodeRanges ranges_where(const Has& has) {
  CodeRanges ranges;
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

}  // namespace

CodeRanges normalised(CodeRanges ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  CodeRanges out;
  for (const CodeRange range : ranges) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

CodeRanges complement(const CodeRanges& ranges) {
  CodeRanges out;
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
    if (next == 0xD800) next = 0xE000;
  }
  if (next < 0x110000) add(next, 0x10FFFF);
  return out;
}

CodeRanges intersection(const CodeRanges& a, const CodeRanges& b) {
  CodeRanges out;
  for (std::size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    const CodePoint first = std::max(a[i].first, b[k].first);
    const CodePoint last = std::min(a[i].last, b[k].last);
    if (first <= last) out.push_back({first, last});
    a[i].last < b[k].last ? ++i : ++k;
  }
  return out;
}

std::optional<CodeRanges> property_ranges(std::string_view name) {
  for (const Script& script : tables::kScripts)
    if (script.name == name) return CodeRanges(script.ranges.begin(), script.ranges.end());
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

CodeRanges space_ranges() {
  return ranges_where([](CodePoint c) { return (char_class(c) & kSpace) != 0; });
}

CodeRanges word_ranges(bool in_set) {
  // Circled and squared letters count as letters.
  CodeRanges all = {{0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
  for (const char* name : {"L", "M", "Nd", "Nl", "Pc"}) {
    const CodeRanges part = *property_ranges(name);
    all.insert(all.end(), part.begin(), part.end());
  }
  if (!in_set) {
    const CodeRange latin1[] = {{0xB2, 0xB3}, {0xB9, 0xB9}, {0xBC, 0xBE}};
    all.insert(all.end(), std::begin(latin1), std::end(latin1));
  }
  return normalised(std::move(all));
}

std::string spelled(const CodeRanges& ranges) {
  std::string out;
  for (const CodeRange range : ranges) {
    fmt::format_to(std::back_inserter(out), "\\x{{{:x}}}", range.first);
    if (range.last != range.first)
      fmt::format_to(std::back_inserter(out), "-\\x{{{:x}}}", range.last);
  }
  return out;
}

}  // namespace lathe::tokenize
