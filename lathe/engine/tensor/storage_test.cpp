#include "lathe/engine/tensor/storage.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <string>

#include "lathe/base/files.h"
#include "lathe/base/temporary_folder.h"

namespace lathe {
namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

/// Bytes of a mapped file that are in this process, as the kernel tells them.
std::size_t resident(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    if (line.find(path) != std::string::npos) inside = true;
    if (inside && line.starts_with("Rss:")) return std::stoul(line.substr(4)) * 1024;
  }
  return 0;
}

long sum(const Storage& storage) {
  const auto* begin = reinterpret_cast<const unsigned char*>(storage.data());
  return std::accumulate(begin, begin + storage.bytes(), 0L);
}

std::shared_ptr<Storage> borrow(const MappedFile& file) {
  auto* data = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(file.data()));
  return Storage::borrow({data, file.size()}, std::make_shared<MappedFile>(file),
                         file.mapped() ? Storage::Pages::of_file : Storage::Pages::own);
}

TEST(Storage, PagesOfAFileLeaveAndComeBack) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/weights";
  std::string text(kBytes, '\0');
  for (std::size_t i = 0; i < kBytes; ++i) text[i] = static_cast<char>(i * 7 % 251);
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(kBytes));
  const auto storage = borrow(real_files().map(path));
  const long before = sum(*storage);
  ASSERT_EQ(resident(path), kBytes);
  storage->leave(100, kBytes - 200);
  EXPECT_LE(resident(path), kBytes / 64);
  EXPECT_EQ(sum(*storage), before);
}

TEST(Storage, OtherMemoryStays) {
  std::string text(kBytes, 'x');
  auto* data = reinterpret_cast<std::byte*>(text.data());
  const auto storage = Storage::borrow({data, kBytes}, nullptr);
  storage->leave(0, kBytes);
  EXPECT_EQ(text, std::string(kBytes, 'x'));
  const auto own = Storage::allocate(kBytes, Device::cpu);
  std::fill_n(own->data(), kBytes, std::byte{3});
  own->leave(0, kBytes);
  EXPECT_EQ(sum(*own), 3 * static_cast<long>(kBytes));
}

}  // namespace
}  // namespace lathe
