#include "lathe/text/chat/text_python.h"

#include <algorithm>
#include <cstring>

#include "lathe/text/tokenize/unicode.h"

namespace lathe::chat {
namespace {

constexpr std::uint32_t kSigma = 0x3A3;

bool in_set(std::string_view text, std::size_t at, std::size_t size, std::string_view chars) {
  return find_bytes(chars, text.substr(at, size)) != std::string_view::npos;
}

/// Whether the sigma at [at, end) ends a word: cased characters before it and none behind it.
bool is_final_sigma(std::string_view text, std::size_t at, std::size_t end) {
  std::uint32_t code = 0;
  std::size_t before = at;
  do {
    if (before == 0) return false;
    const Character c = character_before(text, before);
    code = c.code, before -= c.size;
  } while (is_case_ignorable(code));
  if (!is_cased(code)) return false;
  while (end < text.size()) {
    const Character c = character_at(text, end);
    if (!is_case_ignorable(c.code)) return !is_cased(c.code);
    end += c.size;
  }
  return true;
}

void put_cased(const Text& text, std::size_t at, Character c, Case to, Text& out) {
  if (to == Case::lower && c.code == kSigma && is_final_sigma(text.view(), at, at + c.size))
    return out.append("\xCF\x82", text.trust_at(at));
  std::string cased;
  append_cased(c.code, to, cased);
  out.append(cased, text.trust_at(at));
}

template <typename Choose>
Text map_case(const Text& text, Choose choose) {
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    put_cased(text, at, c, choose(c.code, at), out);
    at += c.size;
  }
  return out;
}

}  // namespace

std::size_t find_bytes(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t rfind_bytes(std::string_view text, std::string_view part, std::size_t end) {
  const std::string back(text.substr(0, end).rbegin(), text.substr(0, end).rend());
  const std::string wanted(part.rbegin(), part.rend());
  const std::size_t found = find_bytes(back, wanted);
  return found == std::string_view::npos ? found : back.size() - found - part.size();
}

Text strip(const Text& text, const std::string_view* chars, Side side) {
  const std::string_view view = text.view();
  std::size_t begin = 0, end = text.size();
  const auto strips = [&](std::size_t at, Character c) {
    return chars == nullptr ? is_space(c.code) : in_set(view, at, c.size, *chars);
  };
  while (side != Side::right && begin < end) {
    const Character c = character_at(view, begin);
    if (!strips(begin, c)) break;
    begin += c.size;
  }
  while (side != Side::left && end > begin) {
    const Character c = character_before(view, end);
    if (!strips(end - c.size, c)) break;
    end -= c.size;
  }
  return text.slice(begin, end);
}

Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t count) {
  Text out;
  std::size_t done = 0;
  if (from.empty()) {  // between all characters
    std::size_t at = 0;
    for (; count != 0; --count) {
      out.append(text, done, at);
      out.append(to);
      done = at;
      if (at == text.size()) break;
      at += character_at(text.view(), at).size;
    }
  } else {
    for (; count != 0; --count) {
      const std::size_t at = find_bytes(text.view(), from, done);
      if (at == std::string_view::npos) break;
      out.append(text, done, at);
      out.append(to);
      done = at + from.size();
    }
  }
  out.append(text, done, text.size());
  return out;
}

std::vector<Text> split(const Text& text, std::string_view separator, std::int64_t most) {
  std::vector<Text> parts;
  std::size_t done = 0;
  for (; most != 0; --most) {
    const std::size_t at = find_bytes(text.view(), separator, done);
    if (at == std::string_view::npos) break;
    parts.push_back(text.slice(done, at));
    done = at + separator.size();
  }
  parts.push_back(text.slice(done, text.size()));
  return parts;
}

std::vector<Text> rsplit(const Text& text, std::string_view separator, std::int64_t most) {
  if (most < 0) {
    // From the right the same, unless separators overlap: then they are found from there.
    most = static_cast<std::int64_t>(text.size()) + 1;
  }
  const std::string back(text.view().rbegin(), text.view().rend());
  const std::string wanted(separator.rbegin(), separator.rend());
  std::vector<Text> parts;
  std::size_t end = text.size();
  for (; most != 0; --most) {
    const std::size_t at = find_bytes(back, wanted, text.size() - end);
    if (at == std::string_view::npos) break;
    const std::size_t begin = text.size() - at;
    parts.push_back(text.slice(begin, end));
    end = begin - separator.size();
  }
  parts.push_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_spaces(const Text& text, std::int64_t most) {
  std::vector<Text> parts;
  const std::string_view view = text.view();
  std::size_t at = leading_spaces(view);
  while (at < view.size()) {
    if (most-- == 0) {
      parts.push_back(text.slice(at, view.size()));
      break;
    }
    std::size_t end = at;
    while (end < view.size() && !is_space(character_at(view, end).code))
      end += character_at(view, end).size;
    parts.push_back(text.slice(at, end));
    at = end + leading_spaces(view.substr(end));
  }
  return parts;
}

std::vector<Text> rsplit_spaces(const Text& text, std::int64_t most) {
  std::vector<Text> parts;
  const std::string_view view = text.view();
  std::size_t end = view.size() - trailing_spaces(view);
  while (end > 0) {
    if (most-- == 0) {
      parts.push_back(text.slice(0, end));
      break;
    }
    std::size_t begin = end;
    while (begin > 0 && !is_space(character_before(view, begin).code))
      begin -= character_before(view, begin).size;
    parts.push_back(text.slice(begin, end));
    end = begin - trailing_spaces(view.substr(0, begin));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  std::vector<Text> lines;
  const std::string_view view = text.view();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < view.size();) {
    const Character c = character_at(view, at);
    std::size_t next = at + c.size;
    if (is_line_end(c.code)) {
      if (c.code == '\r' && next < view.size() && view[next] == '\n') ++next;
      lines.push_back(text.slice(begin, keep_ends ? next : at));
      begin = next;
    }
    at = next;
  }
  if (begin < view.size()) lines.push_back(text.slice(begin, view.size()));
  return lines;
}

Text cased(const Text& text, Case to) {
  return map_case(text, [to](std::uint32_t, std::size_t) { return to; });
}

Text capitalized(const Text& text) {
  return map_case(
      text, [](std::uint32_t, std::size_t at) { return at == 0 ? Case::title : Case::lower; });
}

Text titled(const Text& text) {
  bool inside = false;
  return map_case(text, [&](std::uint32_t code, std::size_t) {
    const bool before = inside;
    inside = is_cased(code);
    return before ? Case::lower : Case::title;
  });
}

Text swapped_case(const Text& text) {
  return map_case(text, [](std::uint32_t code, std::size_t) {
    return is_upper(code) ? Case::lower : Case::upper;
  });
}

std::vector<Text> characters(const Text& text) {
  std::vector<Text> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_at(text.view(), at).size;
    out.push_back(text.slice(at, at + size));
    at += size;
  }
  return out;
}

Text padded(const Text& text, std::int64_t width, std::string_view fill, Side text_side) {
  const std::int64_t missing = width - static_cast<std::int64_t>(count_characters(text.view()));
  if (missing <= 0) return text;
  std::int64_t left = 0;
  if (text_side == Side::right) left = missing;
  if (text_side == Side::both) left = missing / 2 + (missing & width & 1);
  const auto fills = [&](std::int64_t count) {
    std::string out;
    for (; count > 0; --count) out += fill;
    return out;
  };
  Text out(fills(left), Trust::author);
  out.append(text);
  out.append(fills(missing - left), Trust::author);
  return out;
}

}  // namespace lathe::chat
