#include "lathe/base/files.h"

#include <cerrno>
#include <system_error>

#include "lathe/base/error.h"

namespace lathe {
namespace {

std::string_view hint(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space there or choose another folder";
    case EROFS:
    case EACCES:
    case EPERM:
      return "; choose a folder that you may write to, or change its permissions";
    case EMFILE:
      return "; raise the limit of open files (ulimit -n)";
    default:
      return "";
  }
}

}  // namespace

void fail_with_errno(int error_number, const std::string& what) {
  fail(error_number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: {}{}", what,
       std::generic_category().message(error_number), hint(error_number));
}

std::string parent_path(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  const std::size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

std::string file_name(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "" : "/";
  const std::size_t slash = path.rfind('/', end);
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(begin, end + 1 - begin);
}

std::string join_path(const std::string& folder, const std::string& name) {
  if (folder.empty() || name.starts_with('/')) return name;
  return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

void write_file_atomically(FileSystem& files, const std::string& path, std::string_view bytes) {
  const std::string folder = parent_path(path);
  const std::string aside = join_path(folder, "." + file_name(path) + ".tmp");
  try {
    const auto writer = files.open_for_write(aside);
    writer->write(bytes);
    writer->sync();
    writer->close();
    files.rename(aside, path);
  } catch (const Error&) {
    try {
      files.remove_all(aside);
    } catch (const Error&) {  // the first failure is the one to tell
    }
    throw;
  }
  files.sync_directory(folder);
}

}  // namespace lathe
