#include "lathe/data/report.h"

#include <nlohmann/json.hpp>

#include "lathe/base/error.h"
#include "lathe/base/format.h"

namespace lathe::data {
namespace {

constexpr std::array<std::string_view, kIssueCount> kNames = {
    "bad_utf8",       "bad_json",        "missing_field", "not_a_string",
    "repeated_field", "empty_document",  "empty_file",    "too_long",
    "crlf",           "byte_order_mark", "blank_line",    "cut_in_parts"};

std::string plural(std::int64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

}  // namespace

std::string_view name(Issue issue) { return kNames[static_cast<std::size_t>(issue)]; }

std::int64_t Report::skipped() const {
  std::int64_t sum = 0;
  for (int i = 0; i < kIssueCount; ++i)
    if (is_fault(static_cast<Issue>(i))) sum += issues[static_cast<std::size_t>(i)].count;
  return sum;
}

void Report::add(const Report& other) {
  files += other.files;
  documents += other.documents;
  parts += other.parts;
  read_bytes += other.read_bytes;
  text_bytes += other.text_bytes;
  for (std::size_t i = 0; i < issues.size(); ++i) {
    issues[i].count += other.issues[i].count;
    for (const std::string& example : other.issues[i].examples)
      if (issues[i].examples.size() < kExamples) issues[i].examples.push_back(example);
  }
}

std::vector<std::string> Report::lines() const {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{}, {}, {} of text, {} left out", plural(files, "file"),
                              plural(documents, "document"),
                              human_bytes(static_cast<double>(text_bytes)), skipped()));
  for (int i = 0; i < kIssueCount; ++i) {
    const Issue issue = static_cast<Issue>(i);
    const IssueCount& entry = (*this)[issue];
    if (entry.count == 0) continue;
    lines.push_back(fmt::format("{} {}: {}", is_fault(issue) ? "left out" : "noticed", name(issue),
                                entry.count));
    for (const std::string& example : entry.examples) lines.push_back("  " + example);
  }
  return lines;
}

std::string Report::to_json() const {
  nlohmann::ordered_json json = {{"files", files},           {"documents", documents},
                                 {"parts", parts},           {"read_bytes", read_bytes},
                                 {"text_bytes", text_bytes}, {"skipped", skipped()}};
  nlohmann::ordered_json found = nlohmann::ordered_json::object();
  for (int i = 0; i < kIssueCount; ++i) {
    const IssueCount& entry = issues[static_cast<std::size_t>(i)];
    if (entry.count == 0) continue;
    found[std::string(kNames[static_cast<std::size_t>(i)])] = {{"count", entry.count},
                                                               {"examples", entry.examples}};
  }
  json["issues"] = std::move(found);
  // File names need not be UTF-8, and a report must never fail to print.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Report Report::from_json(std::string_view text) try {
  const nlohmann::json json = nlohmann::json::parse(text);
  Report report;
  json.at("files").get_to(report.files);
  json.at("documents").get_to(report.documents);
  json.at("parts").get_to(report.parts);
  json.at("read_bytes").get_to(report.read_bytes);
  json.at("text_bytes").get_to(report.text_bytes);
  for (int i = 0; i < kIssueCount; ++i) {
    const auto found = json.at("issues").find(kNames[static_cast<std::size_t>(i)]);
    if (found == json.at("issues").end()) continue;
    found->at("count").get_to(report.issues[static_cast<std::size_t>(i)].count);
    found->at("examples").get_to(report.issues[static_cast<std::size_t>(i)].examples);
  }
  return report;
} catch (const nlohmann::json::exception& e) {
  fail(ErrorCode::kCorrupt, "data report: expected what Lathe writes, got {}", e.what());
}

bool Intake::is_fatal(Issue issue) const {
  if (is_fault(issue)) return policy_.fail_on_faults;
  return policy_.fail_on_notices && (issue == Issue::kCrlf || issue == Issue::kByteOrderMark);
}

void Intake::keep(IssueCount& entry, bool fatal, std::int64_t line, std::string_view detail) const {
  std::string message = fmt::format("{}:{}: {}", file_, line, detail);
  if (fatal) throw Error(ErrorCode::kCorrupt, std::move(message));
  entry.examples.push_back(std::move(message));
}

}  // namespace lathe::data
