#include "lathe/text/chat/strftime.h"

#include <fmt/core.h>

namespace lathe::chat {
namespace {

constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};

/// A number as wide as usual, or as the flag asks: - no padding, _ spaces, 0 zeros.
std::string number(int value, int width, char flag, char usual = '0') {
  const char fill = flag == 0 ? usual : flag;
  if (fill == '-') return std::to_string(value);
  return fill == '_' ? fmt::format("{:{}}", value, width) : fmt::format("{:0{}}", value, width);
}

/// What the C library makes of a directive that names nothing.
std::string by_library(char letter, const std::tm& time) {
  const char format[] = {'%', letter, 0};
  char buffer[64];
  const std::size_t size = std::strftime(buffer, sizeof buffer, format, &time);
  return std::string(buffer, size);
}

std::string directive(char letter, char flag, const std::tm& t);

std::string composed(std::string_view letters, const std::tm& t) {
  std::string out;
  for (const char c : letters) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out += is_letter ? directive(c, c == 'e' ? '_' : 0, t) : std::string(1, c);
  }
  return out;
}

std::string directive(char letter, char flag, const std::tm& t) {
  const auto day = kDays[t.tm_wday % 7], month = kMonths[t.tm_mon % 12];
  const int hour12 = t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12;
  switch (letter) {
    case 'a':
      return std::string(day.substr(0, 3));
    case 'A':
      return std::string(day);
    case 'b':
    case 'h':
      return std::string(month.substr(0, 3));
    case 'B':
      return std::string(month);
    case 'd':
      return number(t.tm_mday, 2, flag);
    case 'e':
      return number(t.tm_mday, 2, flag, '_');
    case 'm':
      return number(t.tm_mon + 1, 2, flag);
    case 'y':
      return number(t.tm_year % 100, 2, flag);
    case 'Y':
      return std::to_string(t.tm_year + 1900);
    case 'H':
      return number(t.tm_hour, 2, flag);
    case 'k':
      return number(t.tm_hour, 2, flag, '_');
    case 'I':
      return number(hour12, 2, flag);
    case 'l':
      return number(hour12, 2, flag, '_');
    case 'M':
      return number(t.tm_min, 2, flag);
    case 'S':
      return number(t.tm_sec, 2, flag);
    case 'j':
      return number(t.tm_yday + 1, 3, flag);
    case 'f':
      return "000000";
    case 'p':
      return t.tm_hour < 12 ? "AM" : "PM";
    case 'P':
      return t.tm_hour < 12 ? "am" : "pm";
    case 'D':
    case 'x':
      return composed("m/d/y", t);
    case 'F':
      return composed("Y-m-d", t);
    case 'T':
    case 'X':
      return composed("H:M:S", t);
    case 'R':
      return composed("H:M", t);
    case 'c':
      return composed("a b e H:M:S Y", t);
    case 'n':
      return "\n";
    case 't':
      return "\t";
    case '%':
      return "%";
    case 'z':
    case 'Z':
      return "";  // Python's datetime.now() has no zone
    default:
      return by_library(letter, t);
  }
}

}  // namespace

std::string format_time(std::string_view format, std::time_t now) {
  static constexpr std::string_view kLetters = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZf%";
  std::tm time{};
  localtime_r(&now, &time);
  std::string out;
  for (std::size_t at = 0; at < format.size(); ++at) {
    std::size_t letter = at + 1;
    char flag = 0;
    if (letter < format.size() && std::string_view("-_0").find(format[letter]) != format.npos)
      flag = format[letter++];
    if (format[at] != '%' || letter >= format.size() ||
        kLetters.find(format[letter]) == kLetters.npos) {
      out += format[at];
      continue;
    }
    out += directive(format[letter], flag, time);
    at = letter;
  }
  return out;
}

}  // namespace lathe::chat
