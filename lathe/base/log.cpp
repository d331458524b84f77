#include "lathe/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <mutex>

namespace lathe::log {
namespace {

Level level_from_environment() {
  const char* text = std::getenv("LATHE_LOG");
  const std::string_view name = text == nullptr ? "" : text;
  if (name == "debug") return Level::kDebug;
  if (name == "warning") return Level::kWarning;
  if (name == "error") return Level::kError;
  return Level::kInfo;
}

std::string_view prefix(Level level) {
  switch (level) {
    case Level::kDebug:
      return "lathe: debug: ";
    case Level::kWarning:
      return "lathe: warning: ";
    case Level::kError:
      return "lathe: error: ";
    default:
      return "lathe: ";
  }
}

struct Logger {
  std::mutex mutex;
  Level level = level_from_environment();
  void (*before)() = nullptr;
  void (*after)() = nullptr;
  spdlog::logger out{"lathe", std::make_shared<spdlog::sinks::stderr_sink_st>()};

  Logger() {
    out.set_pattern("%v");
    out.set_error_handler([](const std::string&) {});  // standard error is gone: nobody to tell
  }
};

Logger& logger() {
  static Logger* const instance = new Logger;  // lives to the end: destructors may still log
  return *instance;
}

}  // namespace

void write(Level level, std::string_view message) {
  Logger& to = logger();
  const std::lock_guard<std::mutex> lock(to.mutex);
  if (level < to.level) return;
  if (to.before != nullptr) to.before();
  to.out.log(spdlog::level::info, "{}{}", prefix(level), message);
  to.out.flush();
  if (to.after != nullptr) to.after();
}

Level level() {
  Logger& from = logger();
  const std::lock_guard<std::mutex> lock(from.mutex);
  return from.level;
}

void set_level(Level level) {
  const std::lock_guard<std::mutex> lock(logger().mutex);
  logger().level = level;
}

void set_interlude(void (*before)(), void (*after)()) {
  const std::lock_guard<std::mutex> lock(logger().mutex);
  logger().before = before;
  logger().after = after;
}

}  // namespace lathe::log
