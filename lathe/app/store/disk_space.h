// How much fits on a disk.
#pragma once

#include <cstdint>
#include <string>

namespace lathe::store {

/// Throws kIo, before anything is written, where fewer bytes are free for this user at `folder`
/// (which exists); says nothing where the file system does not tell.
void check_disk_space(const std::string& folder, std::int64_t bytes);

}  // namespace lathe::store
