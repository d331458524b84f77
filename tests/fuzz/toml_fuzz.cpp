// Configuration text: reads or throws lathe::Error; what was read is written and read back alike.
#include <optional>
#include <string>
#include <string_view>

#include "lathe/base/error.h"
#include "lathe/base/toml.h"

namespace {

struct Source {
  std::string path;
  double weight = 1;
  void fields(lathe::Fields& f) {
    f("path", path);
    f("weight", weight, "", lathe::in_range(0, 1e6));
  }
};

struct Config {
  std::int64_t seed = 0;
  int layers = 2;
  bool tied = false;
  double lr = 0;
  std::string kind = "a";
  std::optional<Source> best;
  std::vector<Source> train;
  std::vector<double> betas;
  Source table;
  void fields(lathe::Fields& f) {
    f("seed", seed);
    f("layers", layers);
    f("tied", tied);
    f("lr", lr);
    f("kind", kind, "", lathe::one_of({"a", "b"}));
    f("best", best);
    f("train", train);
    f("betas", betas);
    f("table", table);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Config config;
  try {
    lathe::read_toml_text(text, "fuzz", config);
    const std::string written = lathe::write_toml(config);
    Config back;
    lathe::read_toml_text(written, "written", back);
    LATHE_CHECK(lathe::write_toml(back) == written);
  } catch (const lathe::Error& error) {
    if (error.code() != lathe::ErrorCode::kInvalidArgument) throw;
  }
  try {
    lathe::apply_overrides({std::string(text.substr(0, text.find('\n')))}, config);
  } catch (const lathe::Error& error) {
    if (error.code() != lathe::ErrorCode::kInvalidArgument) throw;
  }
  return 0;
}
