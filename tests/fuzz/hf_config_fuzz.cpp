// config.json of a model: a configuration or an Error, whatever the bytes.
#include "lathe/base/error.h"
#include "lathe/model/hub/hf_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto config = lathe::model::read_hf_config(
        std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    lathe::model::read_hf_config(lathe::model::write_hf_config(config), "again");
  } catch (const lathe::Error& error) {
    if (error.code() == lathe::ErrorCode::kInternal) throw;
  }
  return 0;
}
