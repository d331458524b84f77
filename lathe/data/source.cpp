#include "lathe/data/source.h"

#include "lathe/base/error.h"
#include "lathe/data/byte_stream.h"
#include "lathe/data/records.h"

namespace lathe::data {
namespace {

void expect_one_of(std::string_view key, const std::string& value,
                   std::initializer_list<std::string_view> choices) {
  std::string list;
  for (const std::string_view choice : choices) {
    if (value == choice) return;
    list += list.empty() ? "" : " or ";
    list += choice;
  }
  fail(ErrorCode::kInvalidArgument, "data.{}: expected {}, got \"{}\"", key, list, value);
}

}  // namespace

void SourceOptions::validate() const {
  expect_one_of("format", format, {"auto", "txt", "jsonl"});
  expect_one_of("split", split, {"file", "paragraph", "line"});
  expect_one_of("policy", policy, {"fail", "skip"});
  expect_one_of("notices", notices, {"convert", "fail"});
  if (max_line_bytes < 1 || max_line_bytes > (std::int64_t{1} << 30)) {
    fail(ErrorCode::kInvalidArgument, "data.max_line_bytes: expected 1 to 2^30, got {}",
         max_line_bytes);
  }
  if (part_bytes < 64 || part_bytes > (std::int64_t{1} << 30)) {
    fail(ErrorCode::kInvalidArgument, "data.part_bytes: expected 64 to 2^30, got {}", part_bytes);
  }
}

Report for_each_document(const std::vector<std::string>& files, const SourceOptions& options,
                         const std::function<void(std::string_view text)>& use) {
  options.validate();
  Report report;
  for (const std::string& file : files) {
    const Format format = format_of(file, options);
    const auto stream = open_stream(file);
    Intake intake(file, options.intake_policy(), report);
    scan_records(*stream, format, options, intake, [&](const Record& record) { use(record.text); });
  }
  return report;
}

}  // namespace lathe::data
