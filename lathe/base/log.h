// Messages for people, on standard error. The library never prints elsewhere.
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace lathe::log {

enum class Level { kDebug, kInfo, kWarning, kError };

void write(Level level, std::string_view message);

/// Messages below this level are dropped (default kInfo; LATHE_LOG=debug|info|warning|error).
void set_level(Level level);
Level level();

/// Called before and after each message, so that a live progress line can get out of the way.
void set_interlude(void (*before)(), void (*after)());

template <typename... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kDebug, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kInfo, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kWarning, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kError, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace lathe::log
