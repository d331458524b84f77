// The identity of a file in git, which a hub tells for files that it does not keep as large ones.
#pragma once

#include <string>
#include <string_view>

namespace lathe::store {

/// 40 hexadecimal digits: SHA-1 of "blob <size>\0" and the contents. Source: git-hash-object(1).
std::string git_blob_id(std::string_view contents);

}  // namespace lathe::store
