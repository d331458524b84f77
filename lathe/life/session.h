// What a recipe is given besides its configuration: no globals.
#pragma once

#include <string>

#include "lathe/base/clock.h"
#include "lathe/base/files.h"
#include "lathe/base/stop.h"

namespace lathe::life {

struct Session {
  std::string run_folder;
  bool resume = false;
  bool quiet = false;    // no live line, no index of runs
  bool profile = false;  // measure every op
  std::string commit;    // of this build, for the record
  FileSystem* files = &real_files();
  const Clock* clock = &steady_clock();
  StopToken stop;
};

}  // namespace lathe::life
