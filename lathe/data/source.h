// Text files as a stream of documents: .txt and .jsonl, plain or compressed (.gz .xz .zst).
//
//   for_each_document(expand_paths({"corpus/", "extra/*.jsonl.zst"}), {}, [&](std::string_view t) {
//     count(t);
//   });
//
// Memory is bounded by the longest JSONL line; a text file of any size is read in parts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/data/report.h"

namespace lathe::data {

enum class Format { kText, kJsonLines };

/// How files become documents.
struct SourceOptions {
  std::string format = "auto";      // auto (by the file's name) | txt | jsonl
  std::string field = "text";       // of a JSONL object
  std::string split = "file";       // a .txt document is the file | a paragraph | a line
  std::string policy = "fail";      // a faulty document: fail | skip
  std::string notices = "convert";  // CRLF line ends, byte order mark: convert | fail
  std::int64_t max_line_bytes = std::int64_t{1} << 30;  // longer JSONL lines are faults
  std::int64_t part_bytes = std::int64_t{1} << 20;      // longer .txt documents are cut

  /// Throws kInvalidArgument and names the option.
  void validate() const;
  Intake::Policy intake_policy() const { return {policy == "fail", notices == "fail"}; }
};

/// The files that patterns stand for: a file stands for itself, a folder for the data files below
/// it (names that start with a dot and links to folders left out), a glob for its matches (* ? [..]
/// within a name, ** for any depth). Matches come in byte order; a repeated file counts once.
/// Throws kNotFound for a pattern that stands for nothing, kInvalidArgument for what is not a file.
std::vector<std::string> expand_paths(const std::vector<std::string>& patterns);

/// The format of a file, from the options or else its name. Throws kUnsupported.
Format format_of(const std::string& path, const SourceOptions& options);

/// Calls `use` for each document of the files, in order. The text is valid UTF-8 without byte order
/// mark or CRLF line ends, and never empty; a .txt document longer than part_bytes comes in parts,
/// cut at line ends where there are any. The text lives until `use` returns.
/// Throws kCorrupt (by policy; always for damaged compression), kNotFound, kIo, kUnsupported.
Report for_each_document(const std::vector<std::string>& files, const SourceOptions& options,
                         const std::function<void(std::string_view text)>& use);

}  // namespace lathe::data
