// tokenizer.json: read or refused with lathe::Error; what was read encodes any bytes, is written
// and read alike.
#include <string>
#include <string_view>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/text/tokenize/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using lathe::ErrorCode;
  lathe::log::set_level(
      lathe::log::Level::kError);  // vocabularies that lack bytes are warned about
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = lathe::tokenize::parse_tokenizer(text);
    const std::string sample =
        "Then it's 12 o'clock\r\n\n  \xC3\xA9\xFF<|endoftext|>" + std::string(text.substr(0, 200));
    for (const bool special : {false, true}) {
      const std::vector<std::int32_t> ids = tokenizer->encode(sample, special);
      const std::string back = tokenizer->decode(ids);
      LATHE_CHECK(!tokenizer->is_lossless() || back == sample);
    }
    const std::string written = tokenizer->to_json();
    LATHE_CHECK(lathe::tokenize::parse_tokenizer(written)->to_json() == written);
  } catch (const lathe::Error& error) {
    // kInvalidArgument: a pattern that is no regular expression, or gives up.
    if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kUnsupported &&
        error.code() != ErrorCode::kInvalidArgument)
      throw;
  }
  return 0;
}
