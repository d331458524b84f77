#include "lathe/app/store/model_name.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::store {
namespace {

constexpr std::string_view kPypi = "pypi:";
constexpr std::size_t kLongestPart = 96, kLongestRevision = 200, kLongestFilePart = 200;
constexpr int kDeepestPath = 8;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool only(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
  });
}

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  fail(ErrorCode::kInvalidArgument,
       "model name '{}': {}; expected owner/name[@revision][:file-or-quantisation] of a hub or "
       "pypi:package[==version][:file-or-quantisation]",
       printable(text), reason);
}

/// The hub's own rule for owners and repositories.
bool is_repository_part(std::string_view part) {
  return !part.empty() && part.size() <= kLongestPart && only(part, "._-") &&
         part.find("--") == part.npos && part.find("..") == part.npos && !part.starts_with('.') &&
         !part.starts_with('-') && !part.ends_with('.') && !part.ends_with('-');
}

bool is_revision(std::string_view text) {
  return !text.empty() && text.size() <= kLongestRevision && only(text, "._/-+") &&
         text.find("..") == text.npos && text.find("//") == text.npos && !text.starts_with('-') &&
         !text.starts_with('/') && !text.ends_with('/');
}

/// Takes ":selection" off the end.
std::string_view without_selection(std::string_view text, std::string_view rest, ModelName& name) {
  const std::size_t colon = rest.find(':');
  if (colon == rest.npos) return rest;
  name.selection = rest.substr(colon + 1);
  if (name.selection.empty()) refuse(text, "nothing follows the last ':'");
  check_file_path(name.selection);
  if (name.selection.find_first_of("./") == std::string::npos)  // a quantisation, not a file
    for (char& c : name.selection)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return rest.substr(0, colon);
}

void parse_hub_name(std::string_view text, ModelName& name) {
  std::string_view rest = without_selection(text, text, name);
  if (const std::size_t at = rest.find('@'); at != rest.npos) {
    name.revision = rest.substr(at + 1);
    if (!is_revision(name.revision)) refuse(text, "what follows the '@' is no revision");
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.find('/');
  const std::string_view first = rest.substr(0, slash);
  const std::string_view second = slash == rest.npos ? first : rest.substr(slash + 1);
  if (!is_repository_part(first) || !is_repository_part(second))
    refuse(text, "no name of a repository");
  name.repository = rest;
}

/// Source: PEP 503, "Normalized Names", and PEP 508 for what a name may hold.
void parse_package(std::string_view text, ModelName& name) {
  name.origin = Origin::pypi;
  std::string_view rest = without_selection(text, text.substr(kPypi.size()), name);
  if (const std::size_t equals = rest.find("=="); equals != rest.npos) {
    name.revision = rest.substr(equals + 2);
    if (!only(name.revision, ".!+_-") || name.revision.empty() || name.revision.front() == '-')
      refuse(text, "what follows the '==' is no version");
    rest = rest.substr(0, equals);
  }
  if (rest.empty() || rest.size() > kLongestPart || !only(rest, "._-") ||
      !is_letter_or_digit(rest.front()) || !is_letter_or_digit(rest.back()))
    refuse(text, "no name of a package");
  for (const char c : rest) {
    const bool separates = !is_letter_or_digit(c);
    if (separates && name.repository.ends_with('-')) continue;
    name.repository += separates ? '-' : lower(c);
  }
}

std::string with_double_dashes(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '/' ? std::string("--") : std::string(1, c);
  return out;
}

/// Percent-encodes all but letters, digits and `kept`.
std::string encoded(std::string_view text, std::string_view kept) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_letter_or_digit(c) || kept.find(c) != kept.npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

void check_part(std::string_view path, std::string_view part) {
  const char* problem = nullptr;
  if (part.empty()) problem = "has an empty part";
  if (part == "." || part == "..") problem = "leaves its folder";
  if (part.size() > kLongestFilePart) problem = "has a part that is too long";
  for (const char c : part) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) problem = "has control characters";
    if (c == '\\' || c == ':') problem = "has a backslash or a colon";
  }
  if (problem == nullptr) return;
  fail(ErrorCode::kInvalidArgument,
       "file name '{}': {}; it is not written, as it could land outside the model's folder",
       printable(path), problem);
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kShown = 120;
  std::string out;
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return text.size() > kShown ? out + "..." : out;
}

std::string ModelName::text() const {
  const bool pypi = origin == Origin::pypi;
  std::string out = (pypi ? std::string(kPypi) : "") + repository;
  if (!revision.empty()) out += (pypi ? "==" : "@") + revision;
  return selection.empty() ? out : out + ":" + selection;
}

std::string ModelName::folder() const {
  const bool pypi = origin == Origin::pypi;
  std::string out = pypi ? "pypi@" + repository : with_double_dashes(repository);
  if (!revision.empty()) out += (pypi ? "==" : "@") + encoded(revision, "._-!");
  return selection.empty() ? out : out + "+" + encoded(selection, "._-@= ");
}

ModelName parse_model_name(std::string_view text) {
  ModelName name;
  if (text.empty()) refuse(text, "it is empty");
  if (text.starts_with(kPypi)) {
    parse_package(text, name);
  } else {
    parse_hub_name(text, name);
  }
  if (name.folder().size() > 240) refuse(text, "it is too long");
  return name;
}

void check_file_path(std::string_view path) {
  int depth = 0;
  for (std::size_t begin = 0; begin <= path.size(); ++depth) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    check_part(path, path.substr(begin, end - begin));
    begin = end + 1;
  }
  if (depth > kDeepestPath)
    fail(ErrorCode::kInvalidArgument, "file name '{}': expected at most {} folders deep",
         printable(path), kDeepestPath);
}

}  // namespace lathe::store
