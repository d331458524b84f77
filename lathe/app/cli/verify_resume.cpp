// Proof on the user's own recipe that an interrupted run ends in the same bits as one that was not.
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "lathe/app/cli/recipe_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/hash.h"
#include "lathe/base/random.h"
#include "lathe/life/train/checkpoint.h"

namespace lathe::cli {
namespace {

struct Options {
  RecipeOptions recipe;
  std::string out;
  std::int64_t steps = 12, kills = 2;
  bool keep = false;
};

/// `lathe train` in a process of its own, output to a log. Returns its pid.
pid_t start(const std::vector<std::string>& arguments, const std::string& log) {
  const pid_t pid = ::fork();
  if (pid < 0) fail_with_errno(errno, "fork");
  if (pid > 0) return pid;
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd >= 0) {
    ::dup2(fd, STDOUT_FILENO);
    ::dup2(fd, STDERR_FILENO);
  }
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  ::execv("/proc/self/exe", argv.data());
  ::_exit(127);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool running(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

class Verification {
 public:
  Verification(const Options& o, recipes::PretrainConfig config)
      : options_(o), config_(std::move(config)) {}

  void run() {
    train(whole(), {}, false);
    fmt::print("uninterrupted: {} steps\n", options_.steps);
    interrupt();
    compare();
  }

 private:
  std::string whole() const { return options_.out + "/uninterrupted"; }
  std::string broken() const { return options_.out + "/interrupted"; }

  std::vector<std::string> command(const std::string& folder,
                                   const std::vector<std::string>& extra) const {
    std::vector<std::string> c = {"lathe",   "train", options_.recipe.file,
                                  "--quiet", "--out", folder};
    for (const std::string& set : options_.recipe.set) c.insert(c.end(), {"--set", set});
    const std::int64_t tokens = options_.steps * config_.train.batch_tokens;
    for (const std::string& set :
         {fmt::format("train.tokens={}", tokens),
          fmt::format("schedule.warmup_tokens={}",
                      std::min(config_.schedule.warmup_tokens, tokens)),
          std::string("checkpoint.every_steps=1"), std::string("train.sample_every=0")})
      c.insert(c.end(), {"--set", set});
    c.insert(c.end(), extra.begin(), extra.end());
    return c;
  }

  /// Another thread count and, where the recipe has room, another split into micro-batches.
  std::vector<std::string> other_way(std::int64_t attempt) const {
    std::vector<std::string> extra = {"--resume", "--threads", attempt % 2 == 0 ? "1" : "3"};
    recipes::PretrainConfig c = config_;
    c.train.tokens = options_.steps * c.train.batch_tokens;
    c.train.resolve();
    const std::int64_t micro =
        attempt % 2 == 0 ? c.train.context : c.train.rows_per_group() * c.train.context;
    extra.insert(extra.end(), {"--set", fmt::format("train.micro_tokens={}", micro)});
    return extra;
  }

  void train(const std::string& folder, const std::vector<std::string>& extra, bool may_fail) {
    const int status = wait_for(start(command(folder, extra), options_.out + "/log"));
    if (!may_fail && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
      fail(ErrorCode::kInternal, "verify-resume: training ended with status {}; see {}/log", status,
           options_.out);
  }

  /// Kills the run at random moments, resumes it each time, then lets it end.
  void interrupt() {
    const RandomStream random(static_cast<std::uint64_t>(unix_seconds()), "verify-resume");
    for (std::int64_t k = 0; k < options_.kills; ++k) {
      // Somewhere in this kill's share of what is left, so that kills spread over the run.
      const std::int64_t done = done_steps();
      const std::int64_t share = (options_.steps - done) / (options_.kills - k) + 1;
      const std::int64_t goal =
          done + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(share),
                                                        static_cast<std::uint64_t>(k)));
      const pid_t pid = start(command(broken(), k == 0 ? std::vector<std::string>{} : other_way(k)),
                              options_.out + "/log");
      while (running(pid) && done_steps() < goal)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::this_thread::sleep_for(
          std::chrono::microseconds(random.below(30000, 1000 + static_cast<std::uint64_t>(k))));
      ::kill(pid, SIGKILL);
      wait_for(pid);
      fmt::print("killed behind step {}\n", done_steps());
    }
    train(broken(), other_way(options_.kills), false);
  }

  std::int64_t done_steps() const {
    const auto paths = train::list_checkpoints(real_files(), broken());
    if (paths.empty()) return 0;
    return std::atoll(file_name(paths.front()).substr(5).c_str());
  }

  void compare() const {
    const std::string a = train::newest_checkpoint(real_files(), whole());
    const std::string b = train::newest_checkpoint(real_files(), broken());
    if (a.empty() || b.empty() || file_name(a) != file_name(b))
      fail(ErrorCode::kInternal, "verify-resume: the runs ended at '{}' and '{}'", a, b);
    for (const char* name : {"weights.safetensors", "optimizer.safetensors"}) {
      const std::string x = sha256_file(real_files(), join_path(a, name));
      const std::string y = sha256_file(real_files(), join_path(b, name));
      if (x != y)
        fail(ErrorCode::kInternal,
             "verify-resume: {} differs between {} and {}; resuming is not exact here", name, a, b);
      fmt::print("{:<22} equal, sha256 {}\n", name, x.substr(0, 16));
    }
    if (train::read_state(real_files(), a).data_position !=
        train::read_state(real_files(), b).data_position)
      fail(ErrorCode::kInternal, "verify-resume: the data positions differ");
    fmt::print(
        "resume is exact: {} kills, other thread counts and micro-batches, the same bits after {} "
        "steps\n",
        options_.kills, options_.steps);
  }

  const Options& options_;
  recipes::PretrainConfig config_;
};

void verify(Options& o) {
  const recipes::PretrainConfig config = o.recipe.read();
  if (o.out.empty())
    o.out = fmt::format("{}/lathe-verify-resume-{}",
                        std::filesystem::temp_directory_path().string(), ::getpid());
  if (std::filesystem::exists(o.out) && !std::filesystem::is_empty(o.out))
    fail(ErrorCode::kInvalidArgument, "{}: expected an empty folder for the two runs", o.out);
  std::filesystem::create_directories(o.out);
  Verification(o, config).run();
  if (!o.keep) std::filesystem::remove_all(o.out);
}

}  // namespace

void register_verify_resume(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand(
      "verify-resume", "Prove on a recipe that resuming a killed run gives the same bits");
  o->recipe.add_to(*verb);
  verb->add_option("--steps", o->steps, "steps of each run")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  verb->add_option("--kills", o->kills, "kill -9 so often, at random moments")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--out", o->out, "empty folder for the two runs (default: a temporary one)");
  verb->add_flag("--keep", o->keep, "keep the two runs");
  verb->footer("Example:\n  lathe verify-resume configs/demo.toml --steps 8 --kills 3");
  verb->callback([o] { verify(*o); });
}

}  // namespace lathe::cli
