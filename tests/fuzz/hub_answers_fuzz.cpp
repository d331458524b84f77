// What a hub or a package says: parsed, or refused with an lathe::Error; no path that comes out
// leaves its folder, and a name that is accepted is the same when written and read again.
#include <string>
#include <string_view>

#include "lathe/app/store/hub_answers.h"
#include "lathe/app/store/model_name.h"
#include "lathe/app/store/wheel.h"
#include "lathe/base/error.h"

namespace {

using namespace lathe::store;

template <typename Act>
void guarded(Act&& act) {
  try {
    act();
  } catch (const lathe::Error& error) {
    if (error.code() == lathe::ErrorCode::kInternal) throw;
  }
}

void check_inside(const std::string& path) {
  LATHE_CHECK(!path.empty() && path.front() != '/');
  LATHE_CHECK(("/" + path + "/").find("/../") == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  guarded([&] {
    for (const std::string& path : parse_model_info(text, "fuzz").files) check_inside(path);
  });
  guarded([&] {
    for (const HubFile& file : parse_tree_page(text, "fuzz")) check_inside(file.path);
  });
  guarded([&] {
    for (const std::string& path : parse_shard_index(text, "fuzz")) check_inside(path);
  });
  guarded([&] {
    const ModelName name = parse_model_name(text);
    LATHE_CHECK(parse_model_name(name.text()) == name);
    LATHE_CHECK(name.folder().find('/') == std::string::npos && name.folder().front() != '.');
  });
  next_page(text);
  parse_record(text);
  parse_metadata(text);
  bare_etag(text);
  return 0;
}
