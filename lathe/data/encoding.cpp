#include "lathe/data/encoding.h"

#include "lathe/base/error.h"
#include "lathe/base/hash.h"

namespace lathe::data {

Encoding encoding_of(const tokenize::Tokenizer& tokenizer, bool eos, bool bos) {
  Encoding encoding;
  encoding.encode = [&tokenizer](std::string_view text, std::vector<std::int32_t>& ids) {
    tokenizer.encode_to(text, false, ids);
  };
  encoding.vocab_size = tokenizer.vocab_size();
  encoding.key = sha256(tokenizer.to_json());
  if (eos) encoding.eos = tokenizer.eos_id();
  if (bos) encoding.bos = tokenizer.bos_id();
  if (eos && !encoding.eos) {
    fail(ErrorCode::kInvalidArgument,
         "data.eos: expected a tokenizer with an end-of-text token, got one without; train it with "
         "\"<|endoftext|>\" or set data.eos = false");
  }
  if (bos && !encoding.bos) {
    fail(ErrorCode::kInvalidArgument,
         "data.bos: expected a tokenizer with a beginning-of-text token, got one without; set "
         "data.bos = false");
  }
  encoding.bytes_of_id.assign(static_cast<std::size_t>(encoding.vocab_size), 0);
  for (std::int64_t i = 0; i < encoding.vocab_size; ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (!tokenizer.has_id(id) || tokenizer.is_special(id)) continue;
    encoding.bytes_of_id[static_cast<std::size_t>(i)] =
        static_cast<std::int32_t>(tokenizer.token_bytes(id).size());
  }
  return encoding;
}

}  // namespace lathe::data
