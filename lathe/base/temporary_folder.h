// A folder among the system's temporary files that goes with its owner.
#pragma once

#include <string>

namespace lathe {

/// Made empty under TMPDIR (or /tmp) with a name that nobody else has; removed with all in it.
class TemporaryFolder {
 public:
  /// Throws Io.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  /// Absolute, without symbolic links.
  const std::string& path() const { return path_; }
  /// The path of a name in it.
  std::string operator/(const std::string& name) const;

 private:
  std::string path_;
};

}  // namespace lathe
