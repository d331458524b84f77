// What was read and what was wrong with it, counted, with file and line of the first cases.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::data {

/// Everything that can be odd about a document. Faults leave the document out (or end the run, by
/// policy); notices are put right or need nothing.
enum class Issue {
  kBadUtf8,
  kBadJson,
  kMissingField,
  kNotAString,
  kRepeatedField,
  kEmptyDocument,
  kEmptyFile,
  kTooLong,
  kCrlf,  // the first notice
  kByteOrderMark,
  kBlankLine,
  kCutInParts,
};
inline constexpr int kIssueCount = 12;

/// "bad_utf8", "crlf", ...: the names in reports.
std::string_view name(Issue issue);
inline bool is_fault(Issue issue) { return issue < Issue::kCrlf; }

struct IssueCount {
  std::int64_t count = 0;
  std::vector<std::string> examples;  // the first few, "file:line: expected ..., got ..."
};

/// Sums over the files of a source (or of several). Bytes are UTF-8 bytes.
struct Report {
  std::int64_t files = 0;
  std::int64_t documents = 0;   // kept
  std::int64_t parts = 0;       // >= documents: large text files are cut
  std::int64_t read_bytes = 0;  // of the (decompressed) files
  std::int64_t text_bytes = 0;  // of the documents kept
  std::array<IssueCount, kIssueCount> issues;

  IssueCount& operator[](Issue issue) { return issues[static_cast<std::size_t>(issue)]; }
  const IssueCount& operator[](Issue issue) const {
    return issues[static_cast<std::size_t>(issue)];
  }

  /// Documents and lines left out.
  std::int64_t skipped() const;

  void add(const Report& other);

  /// One line a finding, for people: the totals, then each issue with its count and examples.
  std::vector<std::string> lines() const;

  std::string to_json() const;
  /// Throws kCorrupt where the text is not what to_json() writes.
  static Report from_json(std::string_view text);
};

/// Cases of one issue that are kept as examples.
inline constexpr std::size_t kExamples = 5;

/// Counts the issues of one file and obeys the policy. Not to be shared between threads.
class Intake {
 public:
  struct Policy {
    bool fail_on_faults = true;    // throw at the first fault, else count and leave it out
    bool fail_on_notices = false;  // throw at the first CRLF or byte order mark, else convert
  };

  Intake(std::string file, Policy policy, Report& report)
      : file_(std::move(file)), policy_(policy), report_(report) {}

  /// Throws kCorrupt "file:line: detail" where the policy says so, otherwise counts. `detail` is a
  /// string, or a function that makes one where it is expensive; it is called only when needed.
  template <typename Detail>
  void note(Issue issue, std::int64_t line, const Detail& detail, std::int64_t count = 1) {
    const bool fatal = is_fatal(issue);
    IssueCount& entry = report_[issue];
    entry.count += count;
    if (!fatal && entry.examples.size() >= kExamples) return;
    if constexpr (requires { detail(); }) {
      keep(entry, fatal, line, detail());
    } else {
      keep(entry, fatal, line, detail);
    }
  }

  Report& report() { return report_; }
  const std::string& file() const { return file_; }

 private:
  bool is_fatal(Issue issue) const;
  void keep(IssueCount& entry, bool fatal, std::int64_t line, std::string_view detail) const;

  std::string file_;
  Policy policy_;
  Report& report_;
};

}  // namespace lathe::data
