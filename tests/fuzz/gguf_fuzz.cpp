// GGUF: whatever the bytes, the file is read or refused with Corrupt, Unsupported or (where its
// numbers make no network) InvalidArgument; every tensor that it hands out lies inside it.
#include <memory>
#include <string>

#include "lathe/base/error.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/model/gguf_config.h"
#include "lathe/model/weights/gguf_weights.h"

namespace {

using lathe::Error;
using lathe::ErrorCode;

/// Runs a step; what it refuses is fine.
template <typename Step>
void attempt(const Step& step) {
  try {
    step();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCorrupt && error.code() != ErrorCode::kUnsupported &&
        error.code() != ErrorCode::kInvalidArgument)
      throw;
  }
}

unsigned sum_of(const lathe::Tensor& t) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < t.bytes(); ++i) sum += static_cast<unsigned>(t.bytes_begin()[i]);
  return sum;
}

void use(const lathe::weights::GgufFile& file) {
  unsigned sum = 0;
  for (const lathe::weights::GgufTensor& t : file.tensors())
    attempt([&] { sum += sum_of(file.tensor(t)); });
  attempt([&] {
    const auto tokenizer = lathe::recipes::gguf_tokenizer(file.metadata());
    if (tokenizer != nullptr) sum += static_cast<unsigned>(tokenizer->encode("a b").size());
  });
  attempt([&] {
    const lathe::model::ModelConfig config = lathe::model::read_gguf_config(file);
    const lathe::weights::GgufWeights weights(file, {config.heads, config.kv_heads});
    for (const std::string& name : weights.names())
      attempt([&] { sum += sum_of(weights.get(name).tensor); });
  });
  LATHE_CHECK(sum + 1 != 0 || sum == ~0u);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::string>(reinterpret_cast<const char*>(data), size);
  attempt([&] {
    use(lathe::weights::GgufFile::parse(lathe::MappedFile(bytes->data(), bytes->size(), bytes),
                                        "fuzz"));
  });
  return 0;
}
