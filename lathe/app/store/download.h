// One file of a hub onto the disk: resumed where a part is there, checked at the end.
//
// While it comes, the file is "<path>.<identity>.incomplete", where the identity is the beginning
// of its SHA-256 or git id. So a part of other contents is never gone on with: it has another name.
// The part stays when the network, the disk or the user ends the download.
#pragma once

#include <string>

#include "lathe/app/store/hub.h"
#include "lathe/base/error.h"
#include "lathe/base/progress.h"

namespace lathe::store {

struct DownloadTask {
  ModelName name;
  std::string commit;
  HubFile file;
  std::string folder;  // file.path is below it
};

struct DownloadedFile {
  std::int64_t size = 0;
  std::string sha256;
};

/// The server has other contents now than those it listed.
class ContentChanged : public Error {
  using Error::Error;
};

/// Afterwards the file lies whole at folder/file.path. Nothing is asked where it does already.
/// `progress` may be null. Throws ContentChanged; kCorrupt for a wrong checksum or size; kIo for
/// network and disk; kCancelled; and what Hub::fail_for throws.
DownloadedFile download(const DownloadTask& task, Hub& hub, FileSystem& files, Progress* progress);

/// The name of the unfinished file.
std::string partial_path(const DownloadTask& task);

/// Bytes of this file that are there already, finished or not.
std::int64_t bytes_present(const FileSystem& files, const DownloadTask& task);

}  // namespace lathe::store
