// The one exception of Lathe, and the checks that throw it.
//
// Message form: "subject: expected X, got Y; hint". Context (layer path, file, TOML line) is added
// while unwinding with Error::within().
#pragma once

#include <fmt/core.h>

#include <exception>
#include <source_location>
#include <string>
#include <string_view>

namespace lathe {

/// What went wrong, in the terms a caller can act on. One table (error.cpp) maps each code to its
/// name, the process exit status and the HTTP status.
enum class ErrorCode {
  kInvalidArgument,
  kShapeMismatch,
  kNotFound,
  kCorrupt,
  kUnsupported,
  kOutOfMemory,
  kIo,
  kCancelled,
  kInternal,
};

std::string_view name(ErrorCode code);
int exit_status(ErrorCode code);
int http_status(ErrorCode code);

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  /// Puts "context: " in front of the message: `catch (Error& e) { e.within(path); throw; }`.
  Error& within(std::string_view context);

 private:
  ErrorCode code_;
  std::string message_;
};

/// Throws Error{code, formatted message}.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(code, fmt::format(text, std::forward<Args>(args)...));
}

[[noreturn]] void check_failed(const char* condition, std::source_location where);

}  // namespace lathe

/// Always on and cheap: an invariant of ours is broken, not a mistake of the caller's.
#define LATHE_CHECK(condition)  \
  (static_cast<bool>(condition) \
       ? void(0)                \
       : ::lathe::check_failed(#condition, std::source_location::current()))

#ifdef NDEBUG
#define LATHE_DCHECK(condition) void(0)
#else
#define LATHE_DCHECK(condition) LATHE_CHECK(condition)
#endif
