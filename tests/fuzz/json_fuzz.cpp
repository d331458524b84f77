// JSON text: parses or throws lathe::Error; what was parsed is printed and parses alike.
#include <string>
#include <string_view>

#include "lathe/base/error.h"
#include "lathe/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lathe::Tree tree = lathe::parse_json(text, "fuzz");
    const std::string printed = lathe::print_json(tree, 1);
    LATHE_CHECK(lathe::print_json(lathe::parse_json(printed, "printed"), 1) == printed);
  } catch (const lathe::Error& error) {
    if (error.code() != lathe::ErrorCode::kInvalidArgument) throw;
  }
  return 0;
}
