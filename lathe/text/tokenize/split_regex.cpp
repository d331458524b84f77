// Any other regular expression, by PCRE2 with JIT and with limits: a pattern that backtracks
// without end is an error, never a hang. (std::regex is not used: it recurses once a character.)
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>

#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/text/tokenize/regex_dialect.h"
#include "lathe/text/tokenize/splitter.h"
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

class RegexSplitter final : public Splitter {
 public:
  RegexSplitter(std::string_view pattern, MatchUse use) : pattern_(pattern), use_(use) {
    const std::string rewritten = rewrite_for_pcre2(pattern);
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rewritten.data()), rewritten.size(),
                              PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at,
                              nullptr));
    if (!code_)
      fail(ErrorCode::kInvalidArgument, "pattern '{}': {}", pattern, pcre2_message(error));
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  }

  void split(std::string_view text, SpanSink& sink) const override {
    thread_local Workspace workspace;
    const double start = steady_clock().seconds();
    std::size_t done = 0, matches = 0;
    for (std::size_t from = 0; from <= text.size();) {
      Span match;
      if (!find(workspace, text, from, match)) break;
      if (++matches % kMatchesBetweenLooks == 0) look_at_clock(start, text.size());
      if (match.end == match.begin) {  // an empty match separates but is no piece
        if (match.begin > done) between(sink, done, match.begin);
        done = match.begin;
        if (match.begin >= text.size()) break;
        from = match.begin + decode_valid(text.data() + match.begin).size;
        continue;
      }
      if (match.begin > done) between(sink, done, match.begin);
      if (use_ != MatchUse::kRemoveMatches) sink.add(match.begin, match.end);
      from = done = match.end;
    }
    if (done < text.size()) between(sink, done, text.size());
    sink.flush();
  }

 private:
  void between(SpanSink& sink, std::size_t begin, std::size_t end) const {
    if (use_ != MatchUse::kKeepMatchesOnly) sink.add(begin, end);
  }

  bool find(const Workspace& w, std::string_view text, std::size_t from, Span& match) const {
    const int found =
        pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                    PCRE2_NO_UTF_CHECK, w.data.get(), w.context.get());
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0)
      fail(ErrorCode::kInvalidArgument, "pattern '{}': gave up at byte {} of {}: {}", pattern_,
           from, text.size(), pcre2_message(found));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(w.data.get());
    match = {ends[0], ends[1]};
    return true;
  }

  void look_at_clock(double start, std::size_t bytes) const {
    const double allowed = kSecondsAllowed + kSecondsPerByte * static_cast<double>(bytes);
    if (steady_clock().seconds() - start > allowed)
      fail(ErrorCode::kInvalidArgument,
           "pattern '{}': more than {:.0f} s for {} bytes; it looks at the text again and again",
           pattern_, allowed, bytes);
  }

  std::string pattern_;
  MatchUse use_;
  Owned<pcre2_code> code_;
};

}  // namespace

std::unique_ptr<Splitter> make_regex_splitter(std::string_view pattern, MatchUse use) {
  return std::make_unique<RegexSplitter>(pattern, use);
}

}  // namespace lathe::tokenize
