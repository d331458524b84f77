// The hub of the store's tests as a program:  fake_hub FOLDER [PAUSE_MS [TOKEN]]
// Serves the files of FOLDER as owner/tiny, prints its address, ends when its input ends. Files
// over 1000 bytes are redirected to a second port as large ones, 4 KiB every PAUSE_MS.
#include "lathe/app/store/fake_hub.h"

#include <cstdio>
#include <cstdlib>

#include "lathe/base/error.h"
#include "lathe/base/files.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    lathe::FileSystem& files = lathe::real_files();
    lathe::store::FakeHub hub;
    for (const std::string& name : files.list(argv[1])) {
      const std::string bytes = files.read_all(lathe::join_path(argv[1], name));
      hub.files[name] = {bytes, bytes.size() > 1000};
    }
    if (argc > 2) hub.manners.pause_ms = std::atoi(argv[2]);
    if (argc > 3) hub.manners.token = argv[3];
    std::printf("%s\n", hub.address().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
  } catch (const lathe::Error& error) {
    std::fprintf(stderr, "fake_hub: %s\n", error.what());
    return 1;
  }
  return 0;
}
