#include "lathe/app/cli/line_input.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <string_view>
#include <utility>

namespace lathe::cli {
namespace {

class PlainInput : public LineInput {
 public:
  Event read(const std::string&, std::string& line) override {
    line.clear();
    while (true) {
      const std::size_t end = waiting_.find('\n');
      if (end != std::string::npos) {
        line = waiting_.substr(0, end);
        waiting_.erase(0, end + 1);
        return Event::kLine;
      }
      char buffer[4096];
      const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) return Event::kInterrupted;
      if (n > 0) {
        waiting_.append(buffer, static_cast<std::size_t>(n));
        continue;
      }
      if (waiting_.empty()) return Event::kEnd;
      line = std::exchange(waiting_, {});
      return Event::kLine;
    }
  }

 private:
  std::string waiting_;
};

/// The editor calls back with nothing but itself, so the words and the prompt hang on it.
class TerminalInput : public LineInput {
 public:
  explicit TerminalInput(const char* const* words)
      : editor_(::el_init("lathe", stdin, stdout, stderr)),
        history_(::history_init()),
        words_(words) {
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, 1000);
    ::history(history_, &event, H_SETUNIQUE, 1);
    ::el_set(editor_, EL_CLIENTDATA, this);
    ::el_set(editor_, EL_PROMPT, prompt_of);
    ::el_set(editor_, EL_EDITOR, "emacs");
    ::el_set(editor_, EL_HIST, ::history, history_);
    // The narrow call copies both texts and never frees them.
    ::el_wset(editor_, EL_ADDFN, L"complete-command", L"completes /commands", complete);
    ::el_set(editor_, EL_BIND, "\t", "complete-command", nullptr);
    ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  }
  ~TerminalInput() override {
    ::el_end(editor_);
    ::history_end(history_);
  }
  TerminalInput(const TerminalInput&) = delete;
  TerminalInput& operator=(const TerminalInput&) = delete;

  Event read(const std::string& prompt, std::string& line) override {
    prompt_ = prompt;
    int count = 0;
    errno = 0;
    const char* text = ::el_gets(editor_, &count);
    if (text == nullptr || count <= 0) {
      const bool interrupted = errno == EINTR || count < 0;
      const LineInfo* info = ::el_line(editor_);
      line.assign(info->buffer, info->lastchar);
      ::el_reset(editor_);
      return interrupted ? Event::kInterrupted : Event::kEnd;
    }
    line.assign(text, static_cast<std::size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    if (!line.empty()) {
      HistEvent event;
      ::history(history_, &event, H_ENTER, line.c_str());
    }
    return Event::kLine;
  }

 private:
  static TerminalInput& of(EditLine* editor) {
    void* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<TerminalInput*>(self);
  }

  static char* prompt_of(EditLine* editor) { return of(editor).prompt_.data(); }

  /// Completes the only /command that begins so.
  static unsigned char complete(EditLine* editor, wint_t) {
    const LineInfo* info = ::el_line(editor);
    const std::string_view typed(info->buffer,
                                 static_cast<std::size_t>(info->cursor - info->buffer));
    if (typed.empty() || typed.front() != '/') return CC_ERROR;
    std::string_view found;
    for (const char* const* word = of(editor).words_; *word != nullptr; ++word) {
      if (!std::string_view(*word).starts_with(typed)) continue;
      if (!found.empty()) return CC_ERROR;
      found = *word;
    }
    if (found.empty()) return CC_ERROR;
    const std::string rest = std::string(found.substr(typed.size())) + " ";
    return ::el_insertstr(editor, rest.c_str()) == -1 ? CC_ERROR : CC_REFRESH;
  }

  EditLine* editor_;
  History* history_;
  const char* const* words_;
  std::string prompt_;
};

}  // namespace

std::unique_ptr<LineInput> open_line_input(const char* const* words) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0)
    return std::make_unique<PlainInput>();
  // Characters of more than one byte are edited as one; numbers stay as they are in C.
  if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1)
    std::setlocale(LC_CTYPE, "C.UTF-8");
  return std::make_unique<TerminalInput>(words);
}

}  // namespace lathe::cli
