// Encodes many texts on one thread: their ids for comparing with other libraries, and the time.
//
//   tokenizer_ids TOKENIZER TEXTS [IDS]
//
// TEXTS holds texts one after another, each behind its length in bytes (u32, little-endian); IDS
// the same with ids (u32). Special tokens are found in the texts; nothing is added around them.
// Prints one JSON line with bytes, ids and the processor seconds of the fastest of three rounds.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace {

std::vector<std::string_view> read_texts(std::string_view bytes) {
  std::vector<std::string_view> texts;
  while (bytes.size() >= 4) {
    std::uint32_t size;
    std::memcpy(&size, bytes.data(), 4);
    texts.push_back(bytes.substr(4, size));
    bytes.remove_prefix(4 + texts.back().size());
  }
  return texts;
}

void put_u32(std::size_t value, std::string& out) {
  const auto narrow = static_cast<std::uint32_t>(value);
  out.append(reinterpret_cast<const char*>(&narrow), 4);
}

int run(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "tokenizer_ids TOKENIZER TEXTS [IDS]\n");
    return 2;
  }
  const auto tokenizer = lathe::tokenize::load_tokenizer(argv[1]);
  const std::string bytes = lathe::real_files().read_all(argv[2]);
  const std::vector<std::string_view> texts = read_texts(bytes);
  if (argc > 3) {
    std::string out;
    for (const std::string_view text : texts) {
      const std::vector<std::int32_t> ids = tokenizer->encode(text, true);
      put_u32(ids.size(), out);
      out.append(reinterpret_cast<const char*>(ids.data()), ids.size() * 4);
    }
    lathe::write_file_atomically(lathe::real_files(), argv[3], out);
  }
  double best = 1e30;
  std::size_t count = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::int32_t> ids;
    count = 0;
    const std::clock_t start = std::clock();
    for (const std::string_view text : texts) {
      ids.clear();
      tokenizer->encode_to(text, true, ids);
      count += ids.size();
    }
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  const std::size_t size = bytes.size() - 4 * texts.size();
  fmt::print("{{\"bytes\":{},\"ids\":{},\"seconds\":{:.4f},\"mb_per_second\":{:.2f}}}\n", size,
             count, best, static_cast<double>(size) / best / 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const lathe::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return 1;
  }
}
