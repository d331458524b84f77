#include "lathe/app/store/disk_space.h"

#include <sys/statvfs.h>

#include "lathe/base/error.h"
#include "lathe/base/format.h"

namespace lathe::store {

void check_disk_space(const std::string& folder, std::int64_t bytes) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0 || status.f_blocks == 0) return;
  const auto free = static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize);
  if (static_cast<double>(bytes) <= free) return;
  fail(ErrorCode::kIo,
       "'{}': {} are needed and {} are free; free some space there or set LATHE_HOME to another "
       "folder",
       folder, human_bytes(static_cast<double>(bytes)), human_bytes(free));
}

}  // namespace lathe::store
