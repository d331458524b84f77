#include "lathe/app/store/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

extern char** environ;

namespace lathe::store {
namespace {

constexpr std::size_t kKeptErrors = 16 * 1024;
constexpr int kPollMilliseconds = 100;

class Pipe {
 public:
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_with_errno(errno, "pipe");
    read_ = ends[0];
    write_ = ends[1];
  }
  ~Pipe() {
    ::close(read_);
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void close_write() {
    if (write_ >= 0) ::close(write_);
    write_ = -1;
  }
  int read_end() const { return read_; }
  int write_end() const { return write_; }

 private:
  int read_ = -1, write_ = -1;
};

/// What the child gets: no input, output and errors as run_program tells, signals as usual.
class SpawnPlan {
 public:
  explicit SpawnPlan(int errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (::isatty(STDERR_FILENO) == 1) {
      ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    } else {
      ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM}) sigaddset(&defaults, signal);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  pid_t start(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int error =
        ::posix_spawnp(&child, arguments[0], &actions_, &attributes_, arguments.data(), environ);
    if (error != 0) fail_with_errno(error, fmt::format("run '{}'", words[0]));
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail_with_errno(errno, "wait for a program");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Ends when the child closes its standard error, or on request.
std::string read_errors(int descriptor, const StopToken& stop) {
  std::string text;
  while (!stop.requested()) {
    pollfd poll{.fd = descriptor, .events = POLLIN, .revents = 0};
    if (::poll(&poll, 1, kPollMilliseconds) <= 0) continue;
    char buffer[4096];
    const ssize_t n = ::read(descriptor, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kKeptErrors) text.erase(0, text.size() - kKeptErrors);
  }
  return text;
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& words, const StopToken& stop) {
  Pipe errors;
  const pid_t child = SpawnPlan(errors.write_end()).start(words);
  errors.close_write();
  ProgramResult result;
  result.errors = read_errors(errors.read_end(), stop);
  if (stop.requested()) ::kill(child, SIGTERM);
  result.exit_status = wait_for(child);
  if (stop.requested()) fail(ErrorCode::kCancelled, "stopped on request");
  return result;
}

}  // namespace lathe::store
