#include "lathe/base/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

namespace lathe {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lathe_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail_with_errno(errno, "mkdtemp '" + pattern + "'");
  path_ = std::filesystem::canonical(pattern).string();
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::operator/(const std::string& name) const {
  return join_path(path_, name);
}

}  // namespace lathe
