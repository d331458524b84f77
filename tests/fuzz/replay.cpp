// Runs a fuzz target without a fuzzer: on each file of its corpus as it is, then on a fixed number
// of mutations of them. Deterministic, so a failure comes back.
//
//   fuzz_toml CORPUS_FOLDER [MUTATIONS]
//
// A target (x_fuzz.cpp) defines LLVMFuzzerTestOneInput and can also be linked with
// -fsanitize=fuzzer instead of this file.
#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace lathe {
namespace {

constexpr std::size_t kLongest = 1 << 16;
constexpr int kMostEdits = 8;

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> corpus) : corpus_(std::move(corpus)) {}

  std::string next() {
    std::string bytes = pick();
    const std::uint64_t edits = 1 + below(kMostEdits);
    for (std::uint64_t i = 0; i < edits; ++i) edit(bytes);
    bytes.resize(std::min(bytes.size(), kLongest));
    return bytes;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_.below(n, draw_++); }
  const std::string& pick() { return corpus_[below(corpus_.size())]; }

  /// A piece of up to 32 bytes of some input.
  std::string piece() {
    const std::string& from = pick();
    return from.empty() ? "" : from.substr(below(from.size()), 1 + below(32));
  }

  void edit(std::string& bytes) {
    static constexpr unsigned char kOdd[] = {0,   1,   '\n', '\r', ' ', '"',  '\\', '[',  ']',
                                             '{', '}', ':',  ',',  '.', 0x7F, 0x80, 0xC0, 0xFF};
    const std::size_t at = below(bytes.size() + 1);
    const std::size_t length = std::min<std::size_t>(1 + below(16), bytes.size() - at);
    switch (below(8)) {
      case 0:
        bytes.insert(at, piece());
        return;
      case 1:
        bytes.erase(at, length);
        return;
      case 2:
        bytes.insert(at, bytes.substr(at, length));
        return;
      case 3:
        bytes.resize(at);
        return;
      case 4:
        bytes.insert(at, 1 + below(64), static_cast<char>(kOdd[below(std::size(kOdd))]));
        return;
      case 5:
        bytes.replace(at, length, piece());
        return;
      default:
        break;
    }
    if (at == bytes.size()) return;
    bytes[at] = below(2) == 0 ? static_cast<char>(kOdd[below(std::size(kOdd))])
                              : static_cast<char>(bytes[at] ^ (1 << below(8)));
  }

  std::vector<std::string> corpus_;
  RandomStream random_{1, "fuzz"};
  std::uint64_t draw_ = 0;
};

void run(const std::string& bytes) {
  // A copy of the exact size, so that the address sanitizer sees a read past the end.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

int replay(const std::string& folder, int mutations) {
  std::vector<std::string> corpus;
  for (const std::string& name : real_files().list(folder))
    corpus.push_back(real_files().read_all(join_path(folder, name)));
  if (corpus.empty())
    fail(ErrorCode::kNotFound, "{}: expected a corpus, got an empty folder", folder);
  for (const std::string& bytes : corpus) run(bytes);
  run("");
  Mutator mutator(corpus);
  for (int i = 0; i < mutations; ++i) run(mutator.next());
  fmt::print("{} files and {} mutations of them\n", corpus.size(), mutations);
  return 0;
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} CORPUS_FOLDER [MUTATIONS]\n", argv[0]);
    return 2;
  }
  try {
    return lathe::replay(argv[1], argc > 2 ? std::atoi(argv[2]) : 3000);
  } catch (const lathe::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return 1;
  }
}
