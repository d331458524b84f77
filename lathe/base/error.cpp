#include "lathe/base/error.h"

namespace lathe {
namespace {

struct Row {
  std::string_view name;
  int exit_status;
  int http_status;
};

// Exit statuses are documented in README.md ("Exit codes"); 1 is left to uncaught surprises.
constexpr Row kTable[] = {
    {"InvalidArgument", 2, 400},
    {"ShapeMismatch", 2, 400},
    {"NotFound", 3, 404},
    {"Corrupt", 4, 422},
    {"Unsupported", 5, 501},
    {"OutOfMemory", 6, 507},
    {"Io", 7, 500},
    {"Cancelled", 130, 499},
    {"Internal", 70, 500},
};

const Row& row(ErrorCode code) { return kTable[static_cast<int>(code)]; }

}  // namespace

std::string_view name(ErrorCode code) { return row(code).name; }
int exit_status(ErrorCode code) { return row(code).exit_status; }
int http_status(ErrorCode code) { return row(code).http_status; }

Error& Error::within(std::string_view context) {
  message_ = fmt::format("{}: {}", context, message_);
  return *this;
}

void check_failed(const char* condition, std::source_location where) {
  fail(ErrorCode::kInternal, "{}:{}: {}: check failed: {}; this is a bug in Lathe",
       where.file_name(), where.line(), where.function_name(), condition);
}

}  // namespace lathe
