// Times as text, in English whatever the locale.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace lathe::chat {

/// datetime.strftime for the local time of `now`; what is no directive stays as it is.
std::string format_time(std::string_view format, std::time_t now);

}  // namespace lathe::chat
