// A folder for one test, gone when the test ends. For tests only.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "lathe/base/temporary_folder.h"

namespace lathe::runs {

class TempFolder : public TemporaryFolder {
 public:
  TempFolder() = default;
  ~TempFolder() {  // a test may have taken its permissions
    std::error_code ignored;
    std::filesystem::permissions(path(), std::filesystem::perms::owner_all, ignored);
  }

  std::string folder(const std::string& name) const {
    std::filesystem::create_directories(*this / name);
    return *this / name;
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name, std::ios::binary) << text;
  }
};

}  // namespace lathe::runs
