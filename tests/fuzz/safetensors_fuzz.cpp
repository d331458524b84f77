// safetensors: whatever the bytes, the file is read or refused with Corrupt or Unsupported, and
// every tensor that it hands out lies inside it.
#include <memory>
#include <string>

#include "lathe/base/error.h"
#include "lathe/model/weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::string>(reinterpret_cast<const char*>(data), size);
  try {
    const auto file = lathe::weights::SafetensorsFile::parse(
        lathe::MappedFile(bytes->data(), bytes->size(), bytes), "fuzz");
    for (const std::string& name : file.names()) {
      try {
        const lathe::Tensor t = file.tensor(name);
        unsigned sum = 0;
        for (std::size_t i = 0; i < t.bytes(); ++i)
          sum += static_cast<unsigned>(t.bytes_begin()[i]);
        LATHE_CHECK(sum < ~0u);
      } catch (const lathe::Error& error) {
        if (error.code() != lathe::ErrorCode::kUnsupported) throw;
      }
    }
  } catch (const lathe::Error& error) {
    if (error.code() != lathe::ErrorCode::kCorrupt &&
        error.code() != lathe::ErrorCode::kUnsupported)
      throw;
  }
  return 0;
}
