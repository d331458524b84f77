// Paths, folders and globs -> files.
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/data/byte_stream.h"
#include "lathe/data/source.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKnown = ".txt, .text, .jsonl or .ndjson, plain or with .gz, .xz, .zst";

bool is_jsonl(std::string_view path) {
  const std::string_view plain = without_compression(path);
  return plain.ends_with(".jsonl") || plain.ends_with(".ndjson");
}
bool is_text(std::string_view path) {
  const std::string_view plain = without_compression(path);
  return plain.ends_with(".txt") || plain.ends_with(".text");
}

bool has_wildcard(std::string_view part) {
  return part.find_first_of("*?[") != std::string_view::npos;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// Names in a folder, sorted by bytes. Dot files are left out unless asked for by name.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names = real_files().list(folder.empty() ? "." : folder.string());
  std::erase_if(names, [](const std::string& name) { return name.starts_with('.'); });
  return names;
}

/// Calls visit(path) for the folder itself and each folder below. Links to folders are not
/// followed: they may lead in circles.
template <typename Visit>
void each_folder(const fs::path& folder, const Visit& visit) {
  std::vector<fs::path> open{folder};
  while (!open.empty()) {
    const fs::path next = std::move(open.back());
    open.pop_back();
    visit(next);
    for (const std::string& name : names_in(next)) {
      std::error_code ignored;
      if (fs::is_directory(fs::symlink_status(next / name, ignored))) open.push_back(next / name);
    }
  }
}

void add_folder(const fs::path& folder, std::vector<std::string>& found) {
  each_folder(folder, [&](const fs::path& at) {
    for (const std::string& name : names_in(at)) {
      if (!is_text(name) && !is_jsonl(name)) continue;
      std::error_code ignored;
      if (fs::is_regular_file(at / name, ignored)) found.push_back((at / name).string());
    }
  });
}

std::vector<std::string> parts_of(const std::string& pattern) {
  std::vector<std::string> parts;
  for (const fs::path& part : fs::path(pattern))
    if (!part.empty()) parts.push_back(part.string());
  return parts;
}

/// The matches of parts[i..] below `base`. A trailing match that is a folder counts as one.
void match(const fs::path& base, const std::vector<std::string>& parts, std::size_t i,
           std::vector<fs::path>& found) {
  if (i == parts.size()) {
    found.push_back(base);
    return;
  }
  const std::string& part = parts[i];
  if (part == "**") {
    each_folder(base.empty() ? fs::path(".") : base, [&](const fs::path& folder) {
      const bool here = base.empty() && folder == ".";
      match(here           ? base
            : base.empty() ? folder.lexically_relative(".")
                           : folder,
            parts, i + 1, found);
    });
  } else if (!has_wildcard(part)) {
    std::error_code ignored;
    if (fs::exists(base / part, ignored)) match(base / part, parts, i + 1, found);
  } else if (base.empty() || is_folder(base)) {
    for (const std::string& name : names_in(base)) {
      const bool last = i + 1 == parts.size();
      if (fnmatch(part.c_str(), name.c_str(), 0) != 0) continue;
      if (last || is_folder(base / name)) match(base / name, parts, i + 1, found);
    }
  }
}

void add_file(const std::string& path, std::vector<std::string>& found) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_with_errno(errno, fmt::format("data '{}'", path));
  if (!S_ISREG(status.st_mode)) {
    fail(ErrorCode::kInvalidArgument,
         "data '{}': expected a file, a folder or a glob, got a pipe or device", path);
  }
  found.push_back(path);
}

std::vector<std::string> expand(const std::string& pattern) {
  std::vector<std::string> found;
  if (pattern.empty()) fail(ErrorCode::kInvalidArgument, "data: expected a path, got an empty one");
  std::error_code ignored;
  const bool literal = fs::exists(pattern, ignored);
  if (literal && is_folder(pattern)) {
    add_folder(pattern, found);
  } else if (literal || !has_wildcard(pattern)) {
    add_file(pattern, found);
  } else {
    std::vector<fs::path> matches;
    match({}, parts_of(pattern), 0, matches);
    for (const fs::path& path : matches) {
      if (!is_folder(path)) add_file(path.string(), found);
    }
  }
  if (found.empty()) {
    fail(ErrorCode::kNotFound, "data '{}': expected at least one file, got none; {}", pattern,
         literal ? fmt::format("a folder is searched for {}", kKnown)
                 : "check the pattern (** stands for folders of any depth)");
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<std::string> expand_paths(const std::vector<std::string>& patterns) {
  std::vector<std::string> files;
  std::unordered_set<std::string> seen;
  for (const std::string& pattern : patterns) {
    for (std::string& path : expand(pattern))
      if (seen.insert(path).second) files.push_back(std::move(path));
  }
  return files;
}

Format format_of(const std::string& path, const SourceOptions& options) {
  if (options.format == "txt") return Format::kText;
  if (options.format == "jsonl") return Format::kJsonLines;
  if (is_jsonl(path)) return Format::kJsonLines;
  if (is_text(path)) return Format::kText;
  fail(ErrorCode::kUnsupported,
       "data '{}': expected a name that ends in {}; rename the file or set format = \"txt\" or "
       "\"jsonl\"",
       path, kKnown);
}

}  // namespace lathe::data
