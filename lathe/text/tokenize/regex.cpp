#include "lathe/text/tokenize/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/text/tokenize/regex_dialect.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

constexpr std::uint32_t kMatchLimit = 50'000'000;  // PCRE2's own count of steps in one match
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;
constexpr std::size_t kJitStackBytes = 8 * 1024 * 1024;
// Over many matches: patterns in use run at 20 MB/s and more.
constexpr double kSecondsAllowed = 5, kSecondsPerByte = 2e-6;
constexpr std::size_t kMatchesBetweenLooks = 256;

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

/// What one thread needs to match; PCRE2 forbids sharing it.
struct Workspace {
  Owned<pcre2_jit_stack> stack{pcre2_jit_stack_create(32 * 1024, kJitStackBytes, nullptr)};
  Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
  Owned<pcre2_match_data> data{pcre2_match_data_create(1, nullptr)};

  Workspace() {
    if (!stack || !context || !data) fail(ErrorCode::kOutOfMemory, "pcre2: no memory to match in");
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

}  // namespace

struct Regex::Code {
  Owned<pcre2_code> compiled;
};

Regex::Regex(std::string_view pattern) : pattern_(pattern), code_(std::make_unique<Code>()) {
  const std::string rewritten = rewrite_for_pcre2(pattern);
  int error = 0;
  PCRE2_SIZE at = 0;
  code_->compiled.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rewritten.data()), rewritten.size(),
                    PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr));
  if (!code_->compiled)
    fail(ErrorCode::kInvalidArgument, "pattern '{}': {}", pattern, pcre2_message(error));
  pcre2_jit_compile(code_->compiled.get(), PCRE2_JIT_COMPLETE);
}

Regex::~Regex() = default;

Regex::Matches::Matches(const Regex& regex, std::string_view text)
    : regex_(regex), text_(text), start_(steady_clock().seconds()) {}

bool Regex::Matches::next(Span& match) {
  while (from_ <= text_.size() && find(match)) {
    if (++count_ % kMatchesBetweenLooks == 0) look_at_clock();
    if (match.begin == match.end && match.end == last_end_) {
      from_ += from_ < text_.size() ? decode_valid(text_.data() + from_).size : 1;
      continue;
    }
    from_ = last_end_ = match.end;
    return true;
  }
  from_ = text_.size() + 1;
  return false;
}

bool Regex::Matches::find(Span& match) {
  thread_local Workspace workspace;
  const int found = pcre2_match(regex_.code_->compiled.get(),
                                reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from_,
                                PCRE2_NO_UTF_CHECK, workspace.data.get(), workspace.context.get());
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0)
    fail(ErrorCode::kInvalidArgument, "pattern '{}': gave up at byte {} of {}: {}", regex_.pattern_,
         from_, text_.size(), pcre2_message(found));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(workspace.data.get());
  match = {ends[0], ends[1]};
  return true;
}

void Regex::Matches::look_at_clock() const {
  const double allowed = kSecondsAllowed + kSecondsPerByte * static_cast<double>(text_.size());
  if (steady_clock().seconds() - start_ > allowed)
    fail(ErrorCode::kInvalidArgument,
         "pattern '{}': more than {:.0f} s for {} bytes; it looks at the text again and again",
         regex_.pattern_, allowed, text_.size());
}

}  // namespace lathe::tokenize
