// SentencePiece `.model`: read or refused with lathe::Error; what was read encodes any bytes into
// ids of its own, and writes a tokenizer.json or says why not.
#include <string>
#include <string_view>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using lathe::ErrorCode;
  lathe::log::set_level(lathe::log::Level::kError);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = lathe::tokenize::parse_sentencepiece(bytes);
    const std::string sample =
        "Then  it's 12\r\n \xC3\xA9\xFF<s>World ing " + std::string(bytes.substr(0, 200));
    for (const bool special : {false, true}) {
      const std::vector<std::int32_t> ids = tokenizer->encode(sample, special);
      for (const std::int32_t id : ids) LATHE_CHECK(tokenizer->has_id(id));
      tokenizer->decode(ids);
    }
    tokenizer->to_json();
    const auto again = lathe::tokenize::from_vocabulary(lathe::tokenize::vocabulary_of(*tokenizer));
    again->encode(sample, true);
  } catch (const lathe::Error& error) {
    if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kUnsupported &&
        error.code() != ErrorCode::kInvalidArgument)
      throw;
  }
  return 0;
}
