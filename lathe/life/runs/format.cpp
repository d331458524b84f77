#include "lathe/life/runs/format.h"

#include <fmt/core.h>

#include <cmath>
#include <ctime>

#include "lathe/base/format.h"

namespace lathe::runs {
std::string json_number(double value) { return std::isfinite(value) ? shortest(value) : "null"; }

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string human_lr(double lr) {
  if (lr == 0) return "0";
  if (!std::isfinite(lr)) return "-";
  std::string text = fmt::format("{:.2e}", lr);  // 3.00e-04
  const std::size_t digits = text.find('e') + 2;
  while (text.size() > digits + 1 && text[digits] == '0') text.erase(digits, 1);
  return text;
}

std::string human_loss(double loss) {
  if (std::isnan(loss)) return "nan";
  if (std::isinf(loss)) return loss > 0 ? "inf" : "-inf";
  const double size = std::abs(loss);
  if (size >= 1e5 || (size < 1e-4 && size > 0)) return fmt::format("{:.3e}", loss);
  return size < 10 ? fmt::format("{:.4f}", loss) : fmt::format("{:.3f}", loss);
}

std::string human_loss(const std::optional<double>& loss) { return loss ? human_loss(*loss) : "-"; }

std::string local_time(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts{};
  if (localtime_r(&time, &parts) == nullptr) return "-";
  char buffer[64];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M", &parts));
}

}  // namespace lathe::runs
